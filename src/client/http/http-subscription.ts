import type { Refused, Subscription } from '../../protocol/frames.ts';
import { gatewayError } from '../told-error.ts';

/** In place of a command's id: the gateway made the subscription by itself. */
export const joined = 0;

/** How many subscriptions the gateway takes in a request. It would refuse one with more as a whole. */
export const streamMax = 1_000;

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

/** The result of one for which the request has no room. */
export function notAsked({ topic }: HttpSubscription): Refused {
  const message = `A stream has at most ${streamMax} subscriptions.`;
  return { topic, error: gatewayError('too_many_subscriptions', message) };
}
