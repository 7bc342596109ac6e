import type { TopicPosition } from '../../protocol/frames.ts';
import { namespaceOf } from '../../protocol/namespace.ts';
import type { ReceivedPublication } from '../publication.ts';
import { otherKeys } from '../requests.ts';
import { ApplicationSubscription, type SubscriptionHome } from '../subscriptions/application-subscription.ts';
import { LiveMap } from '../subscriptions/live-map.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { Gap, PublicationMeta, StateMap, Subscription } from '../subscriptions/subscription.ts';
import type { Attachment, Delegate, DelegateEvent } from './delegate.ts';

export interface PageSubscribeOptions extends SubscribeOptions {
  /** `frame`: delivers what has come once per animation frame. By default everything is delivered at once. */
  readonly deliver?: 'frame' | undefined;
}

export interface PageSubscriptionPort extends SubscriptionHome {
  remove(subscription: PageSubscription): void;
  nextFrame(run: () => void): void;
  /** Whether this page published it with `exceptSelf`. */
  isOwn(position: TopicPosition): boolean;
  /** Whether such a publication was sent to the topic, or one of the pattern's, and its offset is not known yet. */
  isUnsettled(topic: string): boolean;
}

/** If more events wait they are delivered at once: a page that is not painted has no animation frames. */
const waitingEventsMax = 10_000;

/**
 * A subscription of a page, served by any delegate. It keeps the position of the application, so that the next delegate
 * continues where the last one ended.
 */
export class PageSubscription<T = unknown> extends ApplicationSubscription<T> implements Subscription<T> {
  declare options: PageSubscribeOptions;
  #keys: ReadonlySet<string> | undefined;
  #cursor: string | undefined;
  #attachment: Attachment | undefined;
  #waiting: DelegateEvent[] = [];
  /** State topics that are gone, unless something comes for them before `live`. */
  #stale = new Set<string>();
  /** Namespaces whose topics are known to have the mode `state`. */
  readonly #stateNamespaces = new Set<string>();
  readonly #port: PageSubscriptionPort;

  constructor(topic: string, options: PageSubscribeOptions, port: PageSubscriptionPort) {
    super(topic, options, port);
    this.#port = port;
    this.#cursor = options.cursor;
    this.#keys = options.keys && new Set(options.keys);
  }

  get positions(): TopicPosition[] {
    return [...this.topics].map(([topic, { epoch, offset }]) => ({ topic, epoch, offset }));
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  setKeys(wanted: readonly string[]): void {
    const { topic } = this;
    this.options = otherKeys(this.options, wanted);
    const { keys = [] } = this.options;
    this.#keys = new Set(keys);
    const map = this.topics.get(topic)?.map;
    const entries = [...(map?.entries.values() ?? [])];
    const kept = entries.filter((each) => this.#isShown(each));
    if (kept.length < entries.length && map?.page(kept, { first: true, last: true }))
      this.tellMap(topic, map);
    this.#attachment?.setKeys(keys);
  }

  unsubscribe(): void {
    if (this.state === 'closed') return;
    this.enter('closed');
    this.emitter.clear();
    this.#attachment?.end();
    this.#attachment = undefined;
    this.#port.remove(this as PageSubscription);
  }

  // -- for the page client ----------------------------------------------------------------------------

  /** Continues with this delegate, from the position of the application. */
  attach(delegate: Delegate): void {
    if (this.#attachment || this.state === 'closed') return;
    const { deliver, ...options } = this.options;
    this.#attachment = delegate.subscribe(this.topic, { ...options, ...this.#start() }, (events) => {
      if (deliver === 'frame' && this.#waiting.length === 0) this.#port.nextFrame(() => this.settled());
      this.#waiting.push(...events);
      if (deliver !== 'frame' || this.#waiting.length > waitingEventsMax) this.settled();
    });
  }

  /** Leaves the delegate. The position stays. */
  detach(): void {
    this.#attachment?.end();
    this.#attachment = undefined;
    this.settled();
    this.#stale.clear();
    if (this.state !== 'closed') this.enter('pending');
  }

  /** Delivers what waits, unless a publication that may be among it must not be delivered and is not acknowledged. */
  settled(): void {
    if (this.#waiting.length === 0 || this.#port.isUnsettled(this.topic)) return;
    const events = this.#waiting;
    this.#waiting = [];
    this.#take(events);
  }

  // -- inside -----------------------------------------------------------------------------------------

  /** Where to begin: at the position or, if there is none, as the options say. */
  #start(): Pick<SubscribeOptions, 'since' | 'cursor' | 'last'> {
    // The values of some keys may be missing, so the values of all come again.
    if (this.#keys) return {};
    if (this.topic.endsWith('*')) return this.#startOfPattern();
    const position = this.position;
    return position ? { since: position, cursor: this.#cursor, last: undefined } : {};
  }

  #startOfPattern(): Pick<SubscribeOptions, 'since' | 'cursor' | 'last'> {
    if (this.#cursor !== undefined) return { since: undefined, cursor: this.#cursor, last: undefined };
    const { positions } = this;
    return positions.length > 0 ? { since: positions, last: undefined } : {};
  }

  #take(events: readonly DelegateEvent[]): void {
    const arrived: ReceivedPublication[] = [];
    const changed = new Set<string>();
    for (const event of events) {
      if (this.state === 'closed') return;
      switch (event[0]) {
        case 'publication':
          this.#renumber(event[1], event[2], arrived, changed);
          if (this.#deliver(event[1], event[2])) arrived.push(event[1]);
          break;
        case 'snapshot':
          this.#apply(arrived.splice(0), changed);
          this.#snapshot(event[1], event[2]);
          changed.add(event[2].topic);
          break;
        case 'reset':
          this.#apply(arrived.splice(0), changed);
          this.#reset(event[1], changed);
          break;
        case 'live':
          for (const topic of this.#stale) this.#clear(topic, changed);
          break;
        default:
          this.#hear(event);
      }
    }
    this.#apply(arrived, changed);
    for (const topic of changed) this.tellMap(topic, this.topics.get(topic)?.map);
  }

  /** Takes an event that changes no map. */
  #hear(event: DelegateEvent): void {
    switch (event[0]) {
      case 'isState':
        this.#stateNamespaces.add(namespaceOf(event[1]));
        break;
      case 'gap':
        this.#gap(event[1]);
        break;
      case 'at':
        if (event[1]) this.#moveTo({ topic: this.topic, ...event[1] });
        this.#cursor = event[2] ?? this.#cursor;
        break;
      case 'state':
        // Another gateway may tell more.
        if (event[1] === 'pending') this.#stale.clear();
        if (event[1] !== 'closed') this.enter(event[1]);
        break;
      case 'error':
        this.refuse(event[1]);
        break;
      default:
        // One of those that change nothing here.
        this.emitter.emit(...(event as ['lagging']));
    }
  }

  /** Returns whether it is new: another delegate may repeat publications. */
  #deliver(publication: ReceivedPublication, meta: PublicationMeta): boolean {
    const { topic, offset } = publication;
    const { epoch } = meta;
    if (!this.#isShown(publication)) return false;
    if (offset <= this.#floor(topic, epoch)) return false;
    this.stand(topic, { epoch, offset });
    if (this.#port.isOwn({ topic, epoch, offset })) return true;
    this.emitter.emit('publication', publication, meta);
    return true;
  }

  #isShown({ key = '' }: ReceivedPublication): boolean {
    return this.#keys?.has(key) ?? true;
  }

  #floor(topic: string, epoch: string): number {
    const position = this.at(topic);
    return position?.epoch === epoch ? position.offset : 0;
  }

  #moveTo({ topic, epoch, offset }: TopicPosition): void {
    if (offset > this.#floor(topic, epoch) || this.at(topic)?.epoch !== epoch)
      this.stand(topic, { epoch, offset });
  }

  /** Changes the maps of the topics that have one. */
  #apply(publications: readonly ReceivedPublication[], changed: Set<string>): void {
    for (const publication of publications) {
      const { topic } = publication;
      if (!this.#stateNamespaces.has(namespaceOf(topic))) continue;
      this.#mapOf(topic).apply([publication.copy()]);
      changed.add(topic);
    }
  }

  #mapOf(topic: string): LiveMap {
    const known = this.topics.get(topic) ?? this.stand(topic, { epoch: '', offset: 0 });
    known.map ??= new LiveMap();
    return known.map;
  }

  #snapshot(entries: StateMap, at: TopicPosition): void {
    this.#stateNamespaces.add(namespaceOf(at.topic));
    this.#stale.delete(at.topic);
    const shown = [...entries.values()].filter((each) => this.#isShown(each));
    this.#mapOf(at.topic).page(shown, { first: true, last: true });
    this.stand(at.topic, { epoch: at.epoch, offset: at.offset });
    this.emitter.emit('snapshot', this.entries(at.topic), at);
  }

  /** A delegate that did not know the former numbering tells of no reset. */
  #renumber(
    { topic, offset }: ReceivedPublication,
    { epoch }: PublicationMeta,
    before: ReceivedPublication[],
    changed: Set<string>,
  ): void {
    if (this.topics.get(topic)?.epoch === epoch) return;
    this.#apply(before.splice(0), changed);
    this.#reset({ topic, epoch, offset: offset - 1 }, changed);
  }

  #reset(at: TopicPosition, changed: Set<string>): void {
    const { topic, epoch, offset } = at;
    const previous = this.at(topic);
    if (previous?.epoch === epoch) return;
    this.stand(topic, { epoch, offset });
    this.#clear(topic, changed);
    if (previous?.epoch) this.emitter.emit('reset', at, previous);
  }

  #clear(topic: string, changed: Set<string>): void {
    this.#stale.delete(topic);
    const map = this.topics.get(topic)?.map;
    if (map === undefined) return;
    map.clear();
    changed.add(topic);
  }

  /** Names the part of the gap that this page has not had. */
  #gap(gap: Gap): void {
    const { topic, epoch, missing } = gap;
    if (!missing) {
      if (topic === this.topic && this.isPattern)
        this.#stale = new Set([...this.topics].filter(([, { map }]) => map).map(([name]) => name));
      this.emitter.emit('gap', gap);
      return;
    }
    const after = Math.max(missing.after, this.#floor(topic, epoch));
    if (after < missing.upto)
      this.emitter.emit('gap', { topic, epoch, missing: { after, upto: missing.upto } });
  }
}
