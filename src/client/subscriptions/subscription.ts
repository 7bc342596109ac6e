import type { OffsetRange, Position, PresenceMember, TopicPosition } from '../../protocol/frames.ts';
import type { ClientError } from '../client-error.ts';
import type { ReceivedPublication } from '../publication.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** `refused` is tried again when the client reconnects, or sooner where the gateway says that it may succeed. */
export type SubscriptionState = 'pending' | 'live' | 'lagging' | 'refused' | 'closed';

export interface PublicationMeta {
  readonly view: number;
  readonly epoch: string;
}

/** Publications that this subscription will not get. */
export interface Gap {
  /** The pattern itself if the gateway can't tell which of its topics are concerned. */
  readonly topic: string;
  readonly epoch: string;
  /** The offsets; absent: the gateway can't tell which ones, or how many. */
  readonly missing?: OffsetRange;
}

export type StateMap<T = unknown> = ReadonlyMap<string, ReceivedPublication<T>>;

/** The events of a feed whose publications have the type P. */
export interface FeedEvents<P> {
  publication: [publication: P, meta: PublicationMeta];
  /** State topics: all entries, by key. They replace those before. */
  snapshot: [entries: ReadonlyMap<string, P>, at: TopicPosition];
  /**
   * State topics: the map has changed, by a snapshot or a batch. Each time it is another map; earlier ones do not
   * change.
   */
  map: [entries: ReadonlyMap<string, P>, topic: string];
  /** Publications are lost: the gateway no longer has them. Delivery continues after them. */
  gap: [gap: Gap];
  /** After a reconnect or a gap: nothing was lost. */
  recovered: [at: TopicPosition];
  /** The client reads too slowly. Updates come late until `caughtUp`. */
  lagging: [];
  /** Updates are live again. `gap` has named what was lost. Without epoch and offset for a pattern. */
  caughtUp: [at: TopicPosition];
  /** The topic has a new epoch, and delivery goes on after this position. It is unknown whether something was lost. */
  reset: [at: TopicPosition, previous: Position];
  /** @internal What was missed has come. State topics of a pattern without a snapshot since its `gap` are gone. */
  live: [];
  joined: [member: PresenceMember, topic: string];
  left: [member: PresenceMember, topic: string];
  error: [error: ClientError];
  state: [state: SubscriptionState];
}

export interface SubscriptionEvents<T> extends FeedEvents<ReceivedPublication<T>> {}

export type PublicationListener<T> = (publication: ReceivedPublication<T>, meta: PublicationMeta) => void;

/** One interest of the application in a topic or pattern. */
export interface Subscription<T = unknown> {
  readonly topic: string;
  readonly options: SubscribeOptions;
  readonly state: SubscriptionState;
  /** Why it is `refused`. */
  readonly error: ClientError | undefined;
  /**
   * Resolves when the gateway has established the subscription, at once if it is. Rejects if the gateway refuses it,
   * even for now, with `closed` if it ends, and with the reason if the client closes. Each read makes another promise.
   * It waits while there is no connection.
   */
  readonly ready: Promise<void>;
  /** Everything up to here was delivered. Given as the option `since`, a later subscription continues here. */
  readonly position: Position | undefined;
  /** The positions in a pattern's topics. If there are many, those that have been quiet for long are left out. */
  readonly positions: TopicPosition[];
  /**
   * Everything up to here was delivered, in all topics. Given as the option `cursor`, a later subscription continues
   * here.
   */
  readonly cursor: string | undefined;
  /**
   * State topics: the newest publication of each key. Empty until the first snapshot. It is another map after each
   * change, and the same one until then, as `useSyncExternalStore` needs it. `topic`: one of a pattern's topics.
   */
  current(topic?: string): StateMap<T>;
  /**
   * Changes the keys of a subscription that began with `keys`: a grid has scrolled. The values of new keys come with a
   * `snapshot` of all keys. `options.keys` are these from now on.
   */
  setKeys(keys: readonly string[]): void;
  /** Returns a function that removes the listener. */
  on<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): () => void;
  off<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): void;
  /** Ends the subscription. No listener is called from now on, not even for the rest of the current batch. */
  unsubscribe(): void;
}
