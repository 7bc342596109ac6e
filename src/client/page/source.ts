import type { Position, PresenceMember, TopicPosition } from '../../protocol/frames.ts';
import type { SluiceClient } from '../client.ts';
import type { ClientError } from '../client-error.ts';
import type { ReceivedPublication } from '../publication.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { Gap, PublicationMeta, SubscriptionState } from '../subscriptions/subscription.ts';

/** What happens to a subscription, in order. `P` and `E` are a publication and an error, live or as plain data. */
export type SourceEvent<P = ReceivedPublication, E = ClientError> =
  | { readonly kind: 'publication'; readonly publication: P; readonly meta: PublicationMeta }
  | { readonly kind: 'snapshot'; readonly publications: readonly P[]; readonly at: TopicPosition }
  /** The topic is one of mode `state`. Told once, after the publications or the snapshot that it was learnt from. */
  | { readonly kind: 'isState'; readonly topic: string }
  | { readonly kind: 'gap'; readonly gap: Gap }
  | { readonly kind: 'recovered' | 'caughtUp'; readonly at: TopicPosition }
  | { readonly kind: 'lagging' }
  | { readonly kind: 'reset'; readonly at: TopicPosition }
  | { readonly kind: 'joined' | 'left'; readonly member: PresenceMember; readonly topic: string }
  | { readonly kind: 'error'; readonly error: E }
  | { readonly kind: 'state'; readonly state: SubscriptionState }
  /** Up to where everything before this event goes. */
  | { readonly kind: 'at'; readonly position: Position | undefined; readonly cursor: string | undefined };

/** What a page asks of a client, and may ask again of another one. */
export type Calls = Pick<SluiceClient, 'publish' | 'history' | 'presence' | 'status' | 'call'>;
export type CallName = keyof Calls;

/** A subscription at a source. */
export interface Attachment {
  setKeys(keys: readonly string[]): void;
  /** Ends it. Events that have arrived are told before it returns. */
  end(): void;
}

/** Serves the subscriptions and calls of a page: a client of its own, or one that another tab holds. */
export interface Source {
  /** Events that arrive in one turn are told together, followed by `at`. */
  subscribe(
    topic: string,
    options: SubscribeOptions,
    listener: (events: readonly SourceEvent[]) => void,
  ): Attachment;
  call<K extends CallName>(name: K, args: Parameters<Calls[K]>): Promise<Awaited<ReturnType<Calls[K]>>>;
}
