import type { Position, PresenceMember, TopicPosition } from '../../protocol/frames.ts';
import type { SluiceClient } from '../client.ts';
import type { ClientError } from '../client-error.ts';
import type { ReceivedPublication } from '../publication.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { Gap, PublicationMeta, SubscriptionState } from '../subscriptions/subscription.ts';

/** An event of a subscription. `P` and `E`: publications and errors, as objects of their class or as plain data. */
export type DelegateEvent<P = ReceivedPublication, E = ClientError> =
  | { readonly kind: 'publication'; readonly publication: P; readonly meta: PublicationMeta }
  | { readonly kind: 'snapshot'; readonly publications: readonly P[]; readonly at: TopicPosition }
  /** The topic has the mode `state`. Follows the publications or the snapshot that showed it. */
  | { readonly kind: 'isState'; readonly topic: string }
  | { readonly kind: 'gap'; readonly gap: Gap }
  | { readonly kind: 'recovered' | 'caughtUp'; readonly at: TopicPosition }
  | { readonly kind: 'lagging' }
  | { readonly kind: 'reset'; readonly at: TopicPosition }
  | { readonly kind: 'joined' | 'left'; readonly member: PresenceMember; readonly topic: string }
  | { readonly kind: 'error'; readonly error: E }
  | { readonly kind: 'state'; readonly state: SubscriptionState }
  /** The position after all earlier events. */
  | { readonly kind: 'at'; readonly position: Position | undefined; readonly cursor: string | undefined };

/** Calls that a page delegates. If the delegate goes before its reply, they are repeated with the next. */
export type Calls = Pick<SluiceClient, 'publish' | 'history' | 'presence' | 'status' | 'call'>;
export type CallName = keyof Calls;

/** A subscription that a delegate serves. */
export interface Attachment {
  setKeys(keys: readonly string[]): void;
  /** Ends it. The listener gets the events that have arrived before this returns. */
  end(): void;
}

/** Serves the subscriptions and calls of a page: the page's own client, or one that another tab or a worker holds. */
export interface Delegate {
  /** The listener gets the events of one turn together, followed by `at`. */
  subscribe(
    topic: string,
    options: SubscribeOptions,
    listener: (events: readonly DelegateEvent[]) => void,
  ): Attachment;
  call<K extends CallName>(name: K, args: Parameters<Calls[K]>): Promise<Awaited<ReturnType<Calls[K]>>>;
}
