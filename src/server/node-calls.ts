import type { GatewayStats } from '../api/ports.ts';
import type { DirectoryCalls } from '../api/session-directory.ts';
import type { TopicCalls } from '../api/topic-reader.ts';
import type { SystemCalls } from '../compat/system-sessions.ts';
import type { OccupancyNews } from '../hooks/cluster-occupancy.ts';
import type { Holder } from '../sessions/admission/connection-caps.ts';
import type { PresenceCalls } from '../sessions/users/presence.ts';
import type { MakerReport } from './maker-reports.ts';

/** The figures of one node, and the names that must be counted only once over all nodes. */
export interface NodeStats {
  readonly stats: GatewayStats;
  readonly users: readonly string[];
}

/** All calls between the nodes of a gateway. */
export interface NodeCalls extends PresenceCalls, DirectoryCalls, TopicCalls, SystemCalls {
  stats(nothing: undefined): NodeStats;
  /** Tells which topics a whole gateway occupies. */
  occupancy(news: OccupancyNews): void;
  /** Tells what clients have made on this node. The parent of a gateway of several processes hears it, too. */
  made(topics: MakerReport): void;
  /** This polling client continues on the calling node: ends its session here. Returns whether there was one. */
  replaced(said: readonly [session: string, client: Holder]): boolean;
}
