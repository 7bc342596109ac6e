import type { TopicPosition, Subscription as WireSubscription } from '../../protocol/frames.ts';

/** Where the gateway is asked to begin. */
export interface Beginning {
  readonly wire: Pick<WireSubscription, 'since' | 'positions' | 'cursor' | 'last'>;
  /** The positions among that. */
  readonly starts: readonly TopicPosition[];
}
