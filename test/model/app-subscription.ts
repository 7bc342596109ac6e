import type { ReceivedPublication } from '../../src/client/publication.ts';
import type { SubscribeOptions } from '../../src/client/subscriptions/subscribe-options.ts';
import type { Gap, PublicationMeta, Subscription } from '../../src/client/subscriptions/subscription.ts';
import type { Position, TopicPosition } from '../../src/protocol/frames.ts';
import type { StoredPublication } from '../../src/topics/publication.ts';
import type { Gateway } from './gateway.ts';
import { heardOf, isSame, isState, type Model, matches, type Numbering } from './model.ts';
import { check, checkValues, type Spec, type Subscriber } from './subscription.ts';

/** Where the SDK subscribes, at this moment. */
export interface Place {
  readonly gateway: Gateway;
  readonly transport: string;
  /** The payloads of what this client published for others. */
  readonly forOthers: ReadonlySet<string>;
  /** A listener has had a publication. */
  heard(): void;
}

/** What an application has of one subscription of the SDK, and was told that it will not get. */
export class AppSubscription {
  spec: Spec;
  /** Of the application: undefined once it has ended. */
  live: Subscription | undefined;
  readonly #model: Model;
  readonly #who: Subscriber & Place;
  readonly #faults: unknown[];
  /** Offsets, by topic and epoch. */
  readonly #had = new Map<string, Set<number>>();
  /** Named as lost, by topic and epoch. */
  readonly #lost = new Map<string, { readonly after: number; readonly upto: number }[]>();
  readonly #newest = new Map<string, number>();
  /** What was committed before it began is not its business, but for what its start asks for. */
  #joined: { readonly engine: number; readonly seq: number } | undefined;
  #since: Position | undefined;

  /** By topic and epoch: where it began, as that is where an equal one of its client was. */
  readonly #before = new Map<string, number>();

  constructor(spec: Spec, model: Model, who: Subscriber & Place, faults: unknown[]) {
    this.spec = spec;
    this.#model = model;
    this.#who = who;
    this.#faults = faults;
  }

  get isPattern(): boolean {
    return this.spec.target.endsWith('*');
  }

  /** It begins, or goes on where an equal one has been. */
  begin(subscription: Subscription, { since }: SubscribeOptions, donor?: AppSubscription): void {
    this.live = subscription;
    this.#since = since as Position | undefined;
    if (donor !== undefined && donor.#joined !== undefined) {
      this.#joined = donor.#joined;
      for (const [name, offsets] of donor.#had) this.#had.set(name, new Set(offsets));
      for (const [name, ranges] of donor.#lost) this.#lost.set(name, [...ranges]);
      // A pattern's cursor may say less than came.
      this.#newest.clear();
      if (!this.isPattern) for (const [name, offset] of donor.#newest) this.#newest.set(name, offset);
    }
    if (donor === undefined)
      for (const { topic, epoch, offset } of subscription.positions)
        this.#before.set(`${topic} ${epoch}`, offset);
    const listen = <T extends unknown[]>(take: (...args: T) => void) => {
      return (...args: T) => {
        try {
          take(...args);
        } catch (fault) {
          this.#faults.push(fault);
        }
      };
    };
    if (subscription.state === 'live') this.#isLive();
    subscription.on('state', (state) => state === 'live' && this.#isLive());
    subscription.on(
      'publication',
      listen((...args) => {
        this.#take(...args);
        this.#who.heard();
      }),
    );
    subscription.on(
      'snapshot',
      listen((_, at) => this.#snapshot(at)),
    );
    subscription.on(
      'gap',
      listen((gap) => this.#gap(gap)),
    );
    subscription.on(
      'reset',
      listen((...args) => this.#reset(...args)),
    );
    subscription.on('error', () => undefined);
  }

  end(): void {
    this.live?.unsubscribe();
    this.live = undefined;
  }

  #isLive(): void {
    const { broker, engine } = this.#who.gateway;
    // Of commits that it has missed a gateway only knows how many there are.
    const seq = Math.max(broker.commits.seq, engine.seq);
    this.#joined ??= { engine: this.#model.engines, seq };
  }

  #take(publication: ReceivedPublication, { epoch }: PublicationMeta): void {
    const { topic, offset } = publication;
    const { spec } = this;
    const original = this.#model.get(topic, epoch, offset);
    check(original !== undefined, 'a publication that was not published', spec, topic, epoch, offset);
    const name = `${topic} ${epoch}`;
    const newest = this.#newest.get(name) ?? 0;
    check(offset > newest, 'twice, or out of order', spec, topic, epoch, newest, offset);
    this.#newest.set(name, offset);
    const had = this.#had.get(name) ?? new Set();
    this.#had.set(name, had.add(offset));
    if (isState(topic) && publication.removed && !matches(spec, original)) return;
    const { bytes, tags, removed, type, key, timestampMs } = publication;
    const copy = { offset, type, key, tags, removed, timestampMs, payload: { ...original.payload, bytes } };
    check(isSame(copy, original), 'not what was published', spec, copy, original);
    check(matches(spec, original), 'a publication that it did not ask for', spec, original);
    const isForAll = isState(topic) && spec.filter !== undefined && original.removed === true;
    const isBySession = this.#who.transport === 'websocket' && original.except === this.#who.session;
    const isOwn = isBySession || this.#who.forOthers.has(publication.text);
    check(!isOwn || isForAll, 'its own publication', spec, original);
  }

  /** Its values are those that the application has to show from now on. */
  #snapshot({ topic, epoch, offset }: TopicPosition): void {
    const newest = this.#newest.get(`${topic} ${epoch}`) ?? 0;
    check(offset >= newest, 'a snapshot of less than was delivered', this.spec, topic, epoch, newest, offset);
  }

  #gap({ topic, epoch, missing }: Gap): void {
    if (topic.endsWith('*')) for (const each of this.#topics()) this.#loseAll(each);
    else if (missing === undefined) this.#loseAll(topic);
    else {
      const known = this.#who.gateway.broker.find(topic);
      const isHeld = known?.epoch === epoch && missing.upto > Math.max(known.ring.reach, known.startOffset);
      check(
        !isHeld,
        'named as lost, though the ring holds it',
        this.spec,
        topic,
        epoch,
        missing,
        known?.ring.reach,
      );
      this.#lose(topic, epoch, missing.after, missing.upto);
    }
  }

  #reset({ topic, epoch, offset }: TopicPosition, previous: Position): void {
    check(epoch !== previous.epoch, 'a reset to the same epoch', this.spec, topic, epoch);
    for (const numbering of this.#model.numberings(topic)) {
      if (numbering.epoch === epoch) this.#lose(topic, epoch, numbering.start, offset);
      else this.#lose(topic, numbering.epoch, numbering.start, endOf(numbering));
    }
  }

  /** The numbering that follows is the first one to a client that knows none: it is told of no reset. */
  topicResets(topic: string): void {
    const known = this.live?.positions.find((position) => position.topic === topic);
    if ((known?.epoch ?? '') === '') this.#loseAll(topic);
  }

  #loseAll(topic: string): void {
    for (const numbering of this.#model.numberings(topic))
      this.#lose(topic, numbering.epoch, numbering.start, endOf(numbering));
  }

  #lose(topic: string, epoch: string, after: number, upto: number): void {
    const name = `${topic} ${epoch}`;
    this.#lost.set(name, [...(this.#lost.get(name) ?? []), { after, upto }]);
  }

  /** Everything is over: it has all that it should have, or was told. */
  checkSettled(gateway: Gateway): void {
    const { live, spec } = this;
    if (live === undefined) return;
    check(live.state === 'live', 'not live in the end', spec, live.state, live.error?.message);
    for (const topic of this.#topics()) {
      if (isState(topic)) this.#checkMap(live, topic, gateway);
      else
        for (const numbering of this.#model.numberings(topic))
          for (const original of heardOf(numbering))
            if (this.#isItsBusiness(topic, numbering, original))
              this.#checkHad(topic, numbering, original, gateway.loop.nowMs());
    }
  }

  #isItsBusiness(topic: string, { engine, epoch }: Numbering, { seq, offset }: StoredPublication): boolean {
    if (epoch === this.#since?.epoch && offset > this.#since.offset) return true;
    if (offset <= (this.#before.get(`${topic} ${epoch}`) ?? 0)) return false;
    const joined = this.#joined;
    return joined !== undefined && (engine > joined.engine || (engine === joined.engine && seq > joined.seq));
  }

  #checkHad(topic: string, { epoch }: Numbering, original: StoredPublication, nowMs: number): void {
    const { spec } = this;
    const name = `${topic} ${epoch}`;
    const { offset, expiresAtMs, except, payload } = original;
    if (this.#had.get(name)?.has(offset) || !matches(spec, original) || expiresAtMs <= nowMs) return;
    if (this.#lost.get(name)?.some(({ after, upto }) => offset > after && offset <= upto)) return;
    if (this.#who.mayLack(except) || this.#who.forOthers.has(Buffer.from(payload.bytes).toString())) return;
    if (this.#model.isSuperseded({ topic, epoch, wish: spec, reader: { session: '' } }, original)) return;
    check(false, 'silently lost', spec, topic, epoch, offset, this.live?.position);
  }

  #checkMap(live: Subscription, topic: string, gateway: Gateway): void {
    const nowMs = gateway.loop.nowMs();
    const { broker } = gateway;
    const { epoch, offset } = broker.find(topic)?.position ?? broker.commits.numbering(topic) ?? noPosition;
    const map = new Map(Array.from(live.current(topic), ([key, held]) => [key, held.offset]));
    const mayLack = (except: string | undefined) => this.#who.mayLack(except);
    const newest = this.#model.newestByKey(topic, { epoch, offset });
    checkValues(map, newest, { spec: this.spec, topic, nowMs, mayLack });
    // The gateway has dropped the numbering in which this client excepted itself from the removal.
    if (epoch === '')
      for (const each of this.#model.numberings(topic))
        for (const [key, { except }] of this.#model.newestByKey(topic, { ...each, offset: endOf(each) }))
          if (this.#who.mayLack(except)) map.delete(key);
    check(map.size === 0, 'keys that are not there', this.spec, topic, [...map.keys()], epoch, offset);
  }

  #topics(): string[] {
    const { target } = this.spec;
    if (!this.isPattern) return [target];
    const prefix = target.slice(0, -1);
    return [...this.#model.topics()].filter((topic) => topic.startsWith(prefix) && !topic.startsWith('$'));
  }
}

const noPosition: Position = { epoch: '', offset: 0 };

function endOf({ start, publications }: Numbering): number {
  return start + publications.length;
}
