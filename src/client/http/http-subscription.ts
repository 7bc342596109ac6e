import type { Subscription } from '../../protocol/frames.ts';

/** In place of a command's id: the gateway made the subscription by itself. */
export const joined = 0;

/** A subscription of the client, which each stream asks for. */
export interface HttpSubscription {
  readonly topic: string;
  /** What it subscribes to, without where it begins. */
  readonly selection: Subscription;
  /** Where it begins; undefined once it has begun. */
  start: Subscription | undefined;
  /** Its number for the client. */
  view: number;
  /** Its number in the gateway's frames. */
  gatewayView: number;
  /** The session in which it has that number. */
  session: string;
  epoch: string;
  /** Where it continues while no cursor of the whole stream has come. */
  cursor: string | undefined;
  /** The id of the command that waits for its result, or `joined`. */
  command: number;
  /** It continued at its cursor, and nothing was lost. */
  isWhole: boolean;
  /** The client was told that it lags, and not yet that it has caught up. */
  isLagging: boolean;
}

export function httpSubscription(subscription: Subscription, command: number): HttpSubscription {
  const { since: _since, positions: _positions, last: _last, cursor: _cursor, ...selection } = subscription;
  return {
    topic: subscription.topic,
    selection,
    start: subscription,
    command,
    cursor: undefined,
    view: 0,
    gatewayView: 0,
    session: '',
    epoch: '',
    isWhole: false,
    isLagging: false,
  };
}
