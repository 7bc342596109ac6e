import type { Position } from '../../protocol/frames.ts';
import type { SluiceClient } from '../client.ts';
import type { PublishOptions } from '../publication.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { SubscriptionEvents } from '../subscriptions/subscription.ts';

/** The events that a delegate hands on as they are. */
export const handedOn = [
  ...(['publication', 'snapshot', 'gap', 'recovered', 'caughtUp', 'lagging'] as const),
  ...(['reset', 'live', 'joined', 'left', 'error', 'state'] as const),
] as const;

type HandedOn = (typeof handedOn)[number];

/** An event of a subscription: its name and its arguments. */
export type DelegateEvent =
  | { [K in HandedOn]: readonly [name: K, ...args: SubscriptionEvents<unknown>[K]] }[HandedOn]
  /** The topic has the mode `state`. Follows the publications or the snapshot that showed it. */
  | readonly ['isState', topic: string]
  /** The position after all earlier events. */
  | readonly ['at', position: Position | undefined, cursor: string | undefined];

/** Calls that a page delegates. If the delegate goes before its reply, they are repeated with the next. */
export type Calls = Pick<SluiceClient, 'publish' | 'history' | 'presence' | 'status' | 'call'>;
export type CallName = keyof Calls;

/** The options of a publication that a delegate before this one may have sent. */
export interface RelayedPublishOptions extends PublishOptions {
  readonly sentMsAgo?: number | undefined;
}

/** A subscription that a delegate serves. */
export interface Attachment {
  setKeys(keys: readonly string[]): void;
  /** Ends it. The listener gets the events that have arrived before this returns. */
  end(): void;
}

/** Serves the subscriptions and calls of a page: the page's own client, or one that another tab or a worker holds. */
export interface Delegate {
  /** Whether it may have sent a call that it was given. */
  readonly mayHaveSent: boolean;
  /** The listener gets the events of one turn together, followed by `at`. */
  subscribe(
    topic: string,
    options: SubscribeOptions,
    listener: (events: readonly DelegateEvent[]) => void,
  ): Attachment;
  call<K extends CallName>(name: K, args: Parameters<Calls[K]>): Promise<Awaited<ReturnType<Calls[K]>>>;
}
