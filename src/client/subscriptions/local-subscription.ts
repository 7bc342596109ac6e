import type { Granted, Position, TopicPosition } from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import { type ClientError, localError } from '../client-error.ts';
import { Emitter } from '../emitter.ts';
import type { ReceivedPublication } from '../publication.ts';
import { Feed, type Known, positionsMax } from './feed.ts';
import { copyOf, LiveMap } from './live-map.ts';
import type { Member } from './member.ts';
import { isEarlier } from './positions.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type {
  FeedEvents,
  PublicationMeta,
  StateMap,
  Subscription,
  SubscriptionEvents,
} from './subscription.ts';
import type { Wire } from './wire.ts';

/** What a subscription needs from the registry that holds it. */
export interface SubscriptionHome {
  remove(subscription: LocalSubscription): void;
  setKeys(subscription: LocalSubscription, keys: readonly string[]): void;
  monotonicMs(): number;
  /** Errors that no listener of the subscription heard, and listeners that threw. */
  report(error: ClientError): void;
}

/** Of a pattern: above this number, topics that have been quiet are forgotten. */
const topicsRemembered = 10_000;
/** Longer than the gateway keeps anything back that it has not covered yet. */
const quietMs = 60_000;
/** More than the topics that are born between two calls, on average. */
const topicsPerLook = 16;

/** A subscription of this client. Equal ones share one subscription on the wire. */
export class LocalSubscription<T = unknown>
  extends Feed<ReceivedPublication>
  implements Subscription<T>, Member
{
  options: SubscribeOptions;
  /** Undefined: it has ended. */
  wire: Wire | undefined;
  isUnserved = false;
  hasForgotten = false;
  /** Topics where it is to begin before what it has seen nothing of: by `last`. */
  readonly #wishes = new Set<string>();
  isHeard = (): boolean => this.events.hears('publication');
  /** State topics as another member of a pattern knew them, until this one hears where they are. */
  readonly #inherited = new Map<string, Known<ReceivedPublication>>();
  /** Namespaces of forgotten state topics, whose maps were empty. */
  readonly #stateNamespaces = new Set<string>();
  /** Keys whose values have come. */
  #keysHad: ReadonlySet<string> = new Set();
  /** Of a pattern: when each topic was heard of, those of longest ago first. */
  readonly #heardAtMs = new Map<string, number>();
  readonly #home: SubscriptionHome;

  constructor(topic: string, options: SubscribeOptions, home: SubscriptionHome) {
    const events = new Emitter<FeedEvents<ReceivedPublication>>((fault, event) =>
      home.report(localError('listener_failed', `A listener to ${String(event)} of ${topic} threw.`, fault)),
    );
    super(topic, options.since, events);
    this.options = options;
    this.#home = home;
  }

  get position() {
    return this.at(this.topic);
  }

  get positions(): TopicPosition[] {
    return [...this.topics].flatMap(([topic]) => {
      const at = this.at(topic);
      return at ? [{ topic, ...at }] : [];
    });
  }

  get cursor(): string | undefined {
    return this.isUnserved ? this.options.cursor : this.wire?.cursor;
  }

  current(topic = this.topic): StateMap<T> {
    return this.entries(topic) as StateMap<T>;
  }

  setKeys(keys: readonly string[]): void {
    this.#home.setKeys(this as LocalSubscription, keys);
  }

  on<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): () => void {
    return (this.events as Emitter<SubscriptionEvents<T>>).on(event, listener);
  }

  off<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): void {
    (this.events as Emitter<SubscriptionEvents<T>>).off(event, listener);
  }

  unsubscribe(): void {
    if (this.state === 'closed') return;
    this.enter('closed');
    this.events.clear();
    this.#home.remove(this as LocalSubscription);
  }

  refuse(error: ClientError): void {
    this.enter('refused', error);
    if (!this.events.emit('error', error)) this.#home.report(error);
  }

  // -- where it begins --------------------------------------------------------------------------------

  joins(wire: Wire, other: Member | undefined): void {
    this.wire = wire;
    const { options, isPattern, topic } = this;
    const { last = 0 } = options;
    const showsMap = !isPattern && other?.topics.get(topic)?.map !== undefined;
    const wantsCursor = isPattern && options.cursor !== undefined;
    const goesBack = options.since
      ? [...this.topics].some(([name, at]) => isEarlier(at, other?.topics.get(name)))
      : last > 0;
    this.isUnserved = wantsCursor ? options.cursor !== wire.cursor : goesBack && !showsMap;
    if (!other) return;
    if (this.isUnserved && (wantsCursor || options.since)) {
      this.#inherit(other);
      return;
    }
    this.topics.clear();
    for (const [name, known] of other.topics) {
      const map = known.map && copyOf(known.map);
      const back = this.isUnserved && other.topics.size <= positionsMax ? last : 0;
      const offset = Math.max(0, known.offset - back);
      if (back > 0) this.#wishes.add(name);
      this.stand(name, { ...known, map, offset, seen: back > 0 ? 0 : known.seen });
    }
  }

  showAll(): void {
    for (const [topic, { epoch, offset, map, awaitsSnapshot }] of [...this.topics, ...this.#inherited])
      if (map && !awaitsSnapshot) this.show({ topic, epoch, offset }, map);
  }

  // -- Feed -------------------------------------------------------------------------------------------

  /** It goes back, and has the maps of state topics all the same. */
  #inherit(other: Member): void {
    for (const [topic, known] of other.topics)
      if (known.map) this.#inherited.set(topic, { ...known, map: copyOf(known.map) });
  }

  override entries(topic: string): StateMap {
    return this.#inherited.get(topic)?.map?.entries ?? super.entries(topic);
  }

  override at(topic: string): Position | undefined {
    return this.#wishes.has(topic) ? undefined : super.at(topic);
  }

  override begin(...granted: Parameters<Feed<ReceivedPublication>['begin']>): void {
    super.begin(...granted);
    this.#wishes.clear();
  }

  protected override continued(granted: Granted): void {
    if (this.wasLive || this.options.cursor !== undefined) super.continued(granted);
  }

  override place(topic: string, batch: Parameters<Feed<ReceivedPublication>['place']>[1]) {
    const at = super.place(topic, batch);
    if (this.#stateNamespaces.has(namespaceOf(topic))) at.map ??= new LiveMap();
    return at;
  }

  override stand(topic: string, at: Known<ReceivedPublication>): Known<ReceivedPublication> {
    if (!this.isPattern) return super.stand(topic, at);
    this.#heard(topic);
    const map = this.#inherited.get(topic)?.map;
    this.#inherited.delete(topic);
    return super.stand(topic, map && !at.map ? { ...at, map } : at);
  }

  override lagging(): void {
    super.lagging();
    this.events.emit('lagging');
  }

  override caughtUp(frame: ServerKinds['caughtUp']): void {
    const wasLagging = this.state === 'lagging';
    super.caughtUp(frame);
    const { topic, epoch, offset, recovered } = frame;
    if (wasLagging && recovered) this.events.emit('caughtUp', { topic, epoch, offset });
  }

  protected override show(at: TopicPosition, map: LiveMap): void {
    this.events.emit('snapshot', map.entries, at);
    super.show(at, map);
  }

  /** A copy for each subscription: what one makes of `data` is not seen by the others. */
  protected override give(publication: ReceivedPublication, meta: PublicationMeta): void {
    if (this.events.hears('publication')) super.give(publication.copy(), meta);
  }

  protected override complete(known: Known<ReceivedPublication>, isComplete: boolean): void {
    const { keys } = this.options;
    const view = this.wire?.viewKeys;
    this.#keysHad = (isComplete && view) || new Set();
    if (isComplete) this.#prune(known);
    super.complete(known, isComplete && (keys?.every((key) => this.#keysHad.has(key)) ?? true));
  }

  #heard(topic: string): void {
    this.#heardAtMs.delete(topic);
    this.#heardAtMs.set(topic, this.#home.monotonicMs());
  }

  forgetQuiet(): void {
    const sinceMs = this.#home.monotonicMs() - quietMs - 2 * (this.options.intervalMs ?? 0);
    let looked = 0;
    for (const [topic, atMs] of this.#heardAtMs) {
      if (this.topics.size <= topicsRemembered || atMs >= sinceMs || ++looked > topicsPerLook) return;
      const map = this.topics.get(topic)?.map;
      if (map?.size) this.#heard(topic);
      else {
        this.#heardAtMs.delete(topic);
        this.topics.delete(topic);
        this.hasForgotten = true;
        if (map) this.#stateNamespaces.add(namespaceOf(topic));
      }
    }
  }

  // -- keys -------------------------------------------------------------------------------------------

  wants(keys: ReadonlySet<string>): void {
    const { topic } = this;
    const known = this.topics.get(topic);
    if (known && !known.awaitsSnapshot && this.#prune(known)) this.tellMap(topic, known.map);
    this.#keysHad = new Set([...keys].filter((key) => this.#keysHad.has(key)));
    if (known && this.#keysHad.size < keys.size) known.awaitsSnapshot = true;
  }

  /** Keeps only its keys. Returns whether there were others. */
  #prune({ map }: Known<ReceivedPublication>): boolean {
    const keys = this.wire?.keys;
    if (!keys || !map) return false;
    const all = [...map.entries.values()];
    const kept = all.filter(({ key = '' }) => keys.has(key));
    return kept.length < all.length && map.page(kept, { first: true, last: true });
  }
}

function namespaceOf(topic: string): string {
  const colon = topic.indexOf(':');
  return colon === -1 ? topic : topic.slice(0, colon);
}
