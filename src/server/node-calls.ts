import type { GatewayStats } from '../api/ports.ts';
import type { DirectoryCalls } from '../api/session-directory.ts';
import type { TopicCalls } from '../api/topic-reader.ts';
import type { OccupancyNews } from '../hooks/shared-occupancy.ts';
import type { Holder } from '../sessions/connection-caps.ts';
import type { PresenceCalls } from '../sessions/presence.ts';

/** The figures of one node, with the names that are to be counted once over all. */
export interface NodeStats {
  readonly stats: GatewayStats;
  readonly users: readonly string[];
}

/** All that the nodes of a gateway tell and ask each other. */
export interface NodeCalls extends PresenceCalls, DirectoryCalls, TopicCalls {
  stats(nothing: undefined): NodeStats;
  /** Which topics a whole gateway occupies. */
  occupancy(news: OccupancyNews): void;
  /** This client, which polls, goes on elsewhere: that session of it is to end. Returns whether it was there. */
  replaced(said: readonly [session: string, client: Holder]): boolean;
}
