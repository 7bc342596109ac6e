import type { Mode, OffsetRange, Position, PresenceMember, TopicPosition } from '../../protocol/frames.ts';
import { type ClientError, localError } from '../client-error.ts';
import { Emitter } from '../emitter.ts';
import type { ReceivedPublication } from '../publication.ts';
import { Positions } from './positions.ts';
import { sinceList } from './starting-point.ts';
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

export interface SubscriptionEvents<T> {
  publication: [publication: ReceivedPublication<T>, meta: PublicationMeta];
  /** State topics: everything, by key. Replaces whatever was shown before. */
  snapshot: [entries: StateMap<T>, at: TopicPosition];
  /**
   * State topics: the map has changed, by a snapshot or a batch. Each time another map; those told before
   * stay as they were.
   */
  map: [entries: StateMap<T>, topic: string];
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

export type PublicationListener<T> = (publication: ReceivedPublication<T>, meta: PublicationMeta) => void;

/** What the gateway says of a topic when a subscription begins. */
export interface TopicStart extends TopicPosition {
  readonly mode: Mode;
  /** Absent when no position was given. */
  readonly recovered?: boolean;
  readonly missing?: OffsetRange;
}

/** What a subscription needs from the registry that holds it. */
export interface SubscriptionHome {
  remove(subscription: LocalSubscription): void;
  setKeys(subscription: LocalSubscription, keys: readonly string[]): void;
  mapOf(subscription: LocalSubscription, topic: string): StateMap;
  cursorOf(subscription: LocalSubscription): string | undefined;
  /** Errors that no listener of the subscription heard, and listeners that threw. */
  report(error: ClientError): void;
}

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

/** A subscription of this client. Equal ones share one subscription on the wire. */
export class LocalSubscription<T = unknown> implements Subscription<T> {
  readonly topic: string;
  options: SubscribeOptions;
  #state: SubscriptionState = 'pending';
  #error: ClientError | undefined;
  readonly #positions = new Positions();
  readonly #events: Emitter<SubscriptionEvents<T>>;
  readonly #home: SubscriptionHome;
  #wasLive = false;
  /** Whether the application gets its publications. */
  isHeard = (): boolean => this.#events.hears('publication');

  constructor(topic: string, options: SubscribeOptions, home: SubscriptionHome) {
    this.topic = topic;
    this.options = options;
    this.#home = home;
    for (const position of sinceList(topic, options.since)) this.stand(position);
    this.#events = new Emitter((fault, event) =>
      home.report(localError('listener_failed', `A listener to ${String(event)} of ${topic} threw.`, fault)),
    );
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  get error(): ClientError | undefined {
    return this.#error;
  }

  get position(): Position | undefined {
    return this.#positions.get(this.topic);
  }

  get positions(): TopicPosition[] {
    return this.#positions.list();
  }

  get cursor(): string | undefined {
    return this.#home.cursorOf(this as LocalSubscription);
  }

  current(topic = this.topic): StateMap<T> {
    return this.#home.mapOf(this as LocalSubscription, topic) as StateMap<T>;
  }

  setKeys(keys: readonly string[]): void {
    this.#home.setKeys(this as LocalSubscription, keys);
  }

  on<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): () => void {
    return this.#events.on(event, listener);
  }

  off<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): void {
    this.#events.off(event, listener);
  }

  unsubscribe(): void {
    if (this.#state === 'closed') return;
    this.enter('closed');
    this.#events.clear();
    this.#home.remove(this as LocalSubscription);
  }

  // -- for the registry -------------------------------------------------------------------------------

  /** Delivers the publications that are new to this subscription, and moves its position to `upto`. */
  deliver(publications: readonly ReceivedPublication[], upto: TopicPosition, view: number): void {
    const { topic, epoch, offset } = upto;
    const from = this.floor(topic, epoch);
    for (const publication of publications) {
      if (this.#state === 'closed') return;
      if (publication.offset <= from) continue;
      // A copy for each subscription: what one makes of `data` is not seen by the others.
      if (this.#events.hears('publication')) {
        this.#events.emit('publication', publication.copy() as ReceivedPublication<T>, { view, epoch });
      }
      this.#positions.set(topic, { epoch, offset: publication.offset });
    }
    this.stand({ topic, epoch, offset: Math.max(from, offset) });
  }

  /**
   * The offset up to which this subscription has seen the topic in that epoch; 0 when it is another epoch.
   */
  floor(topic: string, epoch: string): number {
    const position = this.#positions.get(topic);
    return position?.epoch === epoch ? position.offset : 0;
  }

  stand({ topic, epoch, offset }: TopicPosition): void {
    this.#positions.set(topic, { epoch, offset });
  }

  /** The topic has been quiet for long. */
  forget(topic: string): void {
    this.#positions.delete(topic);
  }

  /** Whether it has seen publications, or that there are none: from then on it can miss some. */
  get hasBegun(): boolean {
    return this.#wasLive || this.options.cursor !== undefined;
  }

  /** The wire subscription begins, or begins again: tells what was recovered, lost or reset. */
  begin(start: TopicStart): void {
    const { topic, epoch, offset, recovered } = start;
    const own = this.#positions.get(topic);
    if (own?.epoch && own.epoch !== epoch) {
      this.reset({ topic, epoch, offset: start.missing?.after ?? offset });
      if (start.missing) this.#lostBefore(start, undefined);
    } else if (own && recovered) {
      this.#events.emit('recovered', { topic, epoch, offset });
    } else if (recovered === false) {
      this.#lostBefore(start, own);
    }
    // A position that the topic never reached must not hide what comes.
    if (!own || (recovered === false && own.offset > offset)) this.stand({ topic, epoch, offset });
  }

  reset(at: TopicPosition): void {
    const previous = this.#positions.get(at.topic);
    if (previous?.epoch === at.epoch) return;
    this.stand(at);
    if (previous?.epoch) this.#events.emit('reset', at, previous);
  }

  /** Names a loss, as far as this subscription hasn't seen it already. Returns whether there was any. */
  lost(topic: string, epoch: string, missing: OffsetRange): boolean {
    const after = Math.max(missing.after, this.floor(topic, epoch));
    if (after >= missing.upto) return false;
    this.#events.emit('gap', { topic, epoch, missing: { after, upto: missing.upto } });
    return true;
  }

  /** Names a loss of unknown extent. */
  lostSomething(topic: string, epoch: string): void {
    this.#events.emit('gap', { topic, epoch });
  }

  hears(event: keyof SubscriptionEvents<T>): boolean {
    return this.#events.hears(event);
  }

  tell<K extends keyof SubscriptionEvents<T>>(event: K, ...args: SubscriptionEvents<T>[K]): void {
    this.#events.emit(event, ...args);
  }

  enter(state: SubscriptionState, error?: ClientError): void {
    this.#error = error;
    if (state === 'live') this.#wasLive = true;
    if (state === this.#state) return;
    this.#state = state;
    this.#events.emit('state', state);
  }

  refuse(error: ClientError): void {
    this.enter('refused', error);
    if (!this.#events.emit('error', error)) this.#home.report(error);
  }

  /**
   * Names what is gone of a stream before its beginning. `own`: where this subscription was, also in a topic that it
   * knew as empty.
   */
  #lostBefore({ topic, epoch, offset, mode, missing }: TopicStart, own: Position | undefined): void {
    if (mode !== 'stream') return;
    const range = missing ?? { after: own?.offset ?? 0, upto: offset };
    const isUnknown = !missing && !own?.epoch && offset === 0;
    if (isUnknown) this.lostSomething(topic, epoch);
    else this.lost(topic, epoch, range);
  }
}
