import type { OffsetRange, Position, PresenceMember, TopicPosition } from '../../protocol/frames.ts';
import type { ClientError } from '../client-error.ts';
import type { ReceivedPublication } from '../publication.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/**
 * `refused` is tried again when the client reconnects, or sooner where the gateway says that it may succeed.
 */
export type SubscriptionState = 'pending' | 'live' | 'lagging' | 'refused' | 'closed';

export interface PublicationMeta {
  readonly view: number;
  readonly epoch: string;
}

/** Publications that this subscription will not get. */
export interface Gap {
  /** Of a pattern itself, when the gateway can't tell which of its topics are concerned. */
  readonly topic: string;
  readonly epoch: string;
  /** The offsets; absent: the gateway can't tell which, nor how many. */
  readonly missing?: OffsetRange;
}

export type StateMap<T = unknown> = ReadonlyMap<string, ReceivedPublication<T>>;

/** What a feed of publications of this kind tells. */
export interface FeedEvents<P> {
  publication: [publication: P, meta: PublicationMeta];
  /** State topics: everything, by key. Replaces whatever was shown before. */
  snapshot: [entries: ReadonlyMap<string, P>, at: TopicPosition];
  /**
   * State topics: the map has changed, by a snapshot or a batch. Each time another map; those told before
   * stay as they were.
   */
  map: [entries: ReadonlyMap<string, P>, topic: string];
  /** Publications are lost: the gateway no longer has them. Delivery goes on after them. */
  gap: [gap: Gap];
  /** After a reconnect or a gap: nothing was lost. */
  recovered: [at: TopicPosition];
  /** This client reads too slowly; updates come late until `caughtUp`. */
  lagging: [];
  /**
   * Updates come live again; `gap` has named what was lost. For a pattern, without epoch and offset.
   */
  caughtUp: [at: TopicPosition];
  /** The topic has a new epoch; whether something was lost is unknown. */
  reset: [at: TopicPosition, previous: Position];
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
  /** Up to where the application has seen everything. As the option `since` it continues there another day. */
  readonly position: Position | undefined;
  /** The same for a pattern, by topic; without topics that have been quiet for long, when there are many. */
  readonly positions: TopicPosition[];
  /**
   * Up to where the application has seen everything, of all topics. As the option `cursor` it continues there another
   * day.
   */
  readonly cursor: string | undefined;
  /**
   * State topics: the newest publication of each key. Empty until the first snapshot. After each change it is another
   * map, and until then the same one, as `useSyncExternalStore` wants it. `topic`: one of a pattern.
   */
  current(topic?: string): StateMap<T>;
  /**
   * Other keys for a subscription that began with `keys`: a grid has scrolled. The values of new keys come with a
   * `snapshot` of all; of those that left nothing comes any more. `options.keys` are these from now on.
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
  /** No listener is called from now on, not even for the rest of the current batch. */
  unsubscribe(): void;
}
