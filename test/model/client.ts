import type { Published } from '../../src/client/offline-queue.ts';
import type { Commands } from '../../src/protocol/client-frames.ts';
import type {
  Granted,
  Position,
  PublishFields,
  SubscribeResult,
  Subscription,
  TopicPosition,
  TopicResult,
} from '../../src/protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../src/protocol/server-frames.ts';
import type { Codec } from '../support/codecs.ts';
import type { Gateway } from './gateway.ts';
import { sweepMs, writeTimeoutMs } from './gateway.ts';
import { Inflater } from './inflater.ts';
import { filters, isState, type Model } from './model.ts';
import type { Peer, Socket } from './network.ts';
import {
  checkAnswer,
  type Evidence,
  type HeldTopic,
  knownSeq,
  look,
  type SubscribeWish,
} from './prediction.ts';
import { check, ModelSubscription, type Spec, type Subscriber } from './subscription.ts';

/** Where a new subscription wishes to begin; a state topic has no `back`, as its map of that time is gone. */
export type Start =
  | { readonly at: 'end' }
  | { readonly at: 'last' | 'back'; readonly count: number }
  | { readonly at: 'foreign'; readonly offset: number };

/** What a client publishes, but for the payload. */
export type Publishing = Partial<PublishFields> & Pick<PublishFields, 'topic'>;

/** A client, whatever its transport. */
export interface ModelClient extends Subscriber {
  /** What it wants to be subscribed to, also while it is away. */
  readonly wanted: ReadonlySet<ModelSubscription>;
  /**
   * Publications in all that came, also what it threw away, and those that were on their way when a connection ended.
   */
  received: number;
  cutOff: number;
  ends: number;
  readonly gateway: Gateway;
  /** What its application was told wrong. */
  readonly faults?: readonly unknown[];
  /** It waits for real time to pass. */
  readonly isLoading?: boolean;
  /** The engine goes back in time. */
  topicResets?(topic: string): void;
  /** Where it has no `wanted`. */
  checkSettled?(): void;
  /** The connection ends at once. */
  leave(): void;
  /** The gateway was started anew, or it is to go to another one: it has no connection. */
  moveTo(gateway: Gateway): void;
  connect(): void;
  /** Some at once; each that it doesn't have yet. */
  subscribe(specs: readonly Spec[], start: Start): void;
  /** Wants these in place of all that it has, and goes on where it was. */
  exchange?(specs: readonly Spec[]): void;
  unsubscribe(pick: number): void;
  /** Takes up one that it ended. */
  takeUp(pick: number): void;
  /** Wants other keys of one. */
  setKeys(pick: number, keys: readonly string[]): void;
  /** The connection breaks; the gateway will notice. */
  disconnect(): void;
  /** Goes on by another transport, if it has several. */
  roam(): void;
  /** The bytes that it reads in a turn, from now on. */
  read(bytes: number): void;
  /** Publishes for all but itself. Rejects if it is not known that it was committed. */
  publish?(payload: object, fields: Publishing): Promise<Published>;
  /** Runs this in the listener to its next publication. Otherwise its application does it at once. */
  whenHeard?(run: () => void): void;
}

const goOn: Start = { at: 'end' };

/** One client as the protocol wants it: connects again and again, goes on where it was, believes nothing unchecked. */
export class Client implements ModelClient, Peer {
  readonly codec: Codec;
  readonly sessions = new Set<string>();
  session = '';
  socket: Socket | undefined;
  readonly wanted = new Set<ModelSubscription>();
  /** Ended, and perhaps continued one day. */
  readonly idle = new Set<ModelSubscription>();
  received = 0;
  cutOff = 0;
  ends = 0;
  readonly #model: Model;
  readonly #byView = new Map<number, ModelSubscription>();
  /** What they will be, once the gateway says so. */
  readonly #changing = new Map<ModelSubscription, Spec>();
  readonly #waiting = new Map<number, (frame: ServerFrame) => void>();
  /** What the gateway has subscribed it to, until it subscribes to that itself. */
  #own: ModelSubscription | undefined;
  #gateway: Gateway;
  #inflater = new Inflater();
  #nextId = 1;

  constructor(codec: Codec, model: Model, gateway: Gateway) {
    this.codec = codec;
    this.#model = model;
    this.#gateway = gateway;
  }

  get gateway(): Gateway {
    return this.#gateway;
  }

  leave(): void {
    this.socket?.close();
  }

  moveTo(gateway: Gateway): void {
    this.#gateway = gateway;
  }

  connect(): void {
    if (this.socket !== undefined) return;
    this.socket = this.#gateway.connect(this.codec, this);
    this.#inflater = new Inflater();
    this.#say('connect', { capabilities: ['dictionary'] }, (frame) =>
      check(frame.kind === 'connected', 'not connected', frame),
    );
    const again = [...this.wanted];
    for (const subscription of again) subscription.view = undefined;
    if (again.length > 0) this.#ask(again.map((subscription) => ({ subscription, start: goOn })));
  }

  subscribe(specs: readonly Spec[], start: Start): void {
    const taken = this.#taken();
    const fresh = specs.filter((spec) => !taken.has(keyOf(spec)) && taken.add(keyOf(spec)));
    const made = fresh.map((spec) => new ModelSubscription(spec, this.#model, this));
    for (const subscription of made) this.wanted.add(subscription);
    if (made.length > 0) this.#ask(made.map((subscription) => ({ subscription, start })));
  }

  disconnect(): void {
    if (this.socket !== undefined) this.socket.isAbandoned = true;
  }

  roam(): void {}

  read(bytes: number): void {
    if (this.socket !== undefined) this.socket.readBytes = bytes;
  }

  takeUp(pick: number): void {
    const subscription = [...this.idle][pick % Math.max(1, this.idle.size)];
    if (subscription === undefined) return;
    this.idle.delete(subscription);
    if (this.#taken().has(keyOf(subscription.spec))) return;
    this.wanted.add(subscription);
    this.#ask([{ subscription, start: goOn }]);
  }

  mayLack(except: string | undefined): boolean {
    return except === this.session;
  }

  unsubscribe(pick: number): void {
    const subscription = this.#pick(pick, () => true);
    if (subscription === undefined) return;
    this.wanted.delete(subscription);
    this.#say('unsubscribe', { views: [subscription.view as number] }, (frame) => {
      check(frame.kind === 'unsubscribed', 'not unsubscribed', frame);
      this.#byView.delete(subscription.view as number);
      subscription.view = undefined;
      this.idle.add(subscription);
    });
  }

  setKeys(pick: number, keys: readonly string[]): void {
    const subscription = this.#pick(pick, ({ keys }) => keys !== undefined);
    if (subscription === undefined) return;
    const spec = { ...subscription.spec, keys };
    if (this.#taken().has(keyOf(spec))) return;
    this.#changing.set(subscription, spec);
    this.#say('setKeys', { view: subscription.view as number, keys }, (frame) => {
      check(frame.kind === 'subscribed', 'no other keys', frame);
      const [result] = frame.results;
      check(result !== undefined && !('error' in result), 'other keys refused', result);
      this.#changing.delete(subscription);
      this.#byView.delete(subscription.view as number);
      this.#byView.set(result.view, subscription);
      subscription.changed(spec, result);
    });
  }

  /** A live one that is not changing. */
  #pick(pick: number, isFit: (spec: Spec) => boolean): ModelSubscription | undefined {
    const fit = [...this.wanted].filter(
      (each) => each.view !== undefined && !this.#changing.has(each) && isFit(each.spec),
    );
    return fit[pick % Math.max(1, fit.length)];
  }

  #taken(): Set<string> {
    const specs = [...[...this.wanted].map(({ spec }) => spec), ...this.#changing.values()];
    return new Set(specs.map(keyOf));
  }

  receive(message: Uint8Array): void {
    const decoded = this.codec.decodeServerFrame(message);
    check(decoded.ok, 'no frame', decoded);
    const frame = this.#inflater.take(decoded.frame);
    this.received += publicationsOf(frame);
    if (frame.id !== 0) {
      this.#waiting.get(frame.id)?.(frame);
      this.#waiting.delete(frame.id);
    } else {
      this.#pushed(frame);
    }
  }

  closed(): void {
    const socket = this.socket as Socket;
    this.ends++;
    if (this.#gateway.endedBy(socket) === 'slow_consumer') {
      const stuckMs = this.#gateway.loop.nowMs() - socket.progressAtMs;
      check(stuckMs >= writeTimeoutMs - sweepMs, 'cut off though it reads', stuckMs);
    }
    const unread = socket.unread.map((message) => this.codec.decodeServerFrame(message));
    const frames = unread.flatMap((decoded) => (decoded.ok ? [decoded.frame] : []));
    for (const frame of this.#inflater.takeUnread(frames)) this.cutOff += publicationsOf(frame);
    this.#waiting.clear();
    this.#changing.clear();
    this.#byView.clear();
    this.#own = undefined;
    this.socket = undefined;
  }

  subscriptionOf(view: number): ModelSubscription {
    const subscription = this.#byView.get(view);
    check(subscription !== undefined, 'a frame for a view that it does not have', view);
    return subscription;
  }

  #pushed(frame: ServerFrame): void {
    const nowMs = this.#gateway.loop.nowMs();
    switch (frame.kind) {
      case 'connected':
        this.session = frame.session;
        this.sessions.add(frame.session);
        return;
      case 'subscribed':
        for (const result of frame.results) this.#joined(result);
        return;
      case 'batch':
        this.subscriptionOf(frame.view).batch(frame, nowMs);
        return;
      case 'snapshot':
        this.subscriptionOf(frame.view).snapshot(frame, nowMs);
        return;
      case 'reset':
        this.subscriptionOf(frame.view).reset(frame);
        return;
      case 'caughtUp':
        this.#caughtUp(frame);
        return;
      case 'dictionary':
        this.subscriptionOf(frame.view);
        return;
      case 'goingAway':
        return;
      default:
        check(frame.kind === 'lagging', 'an unexpected push', frame);
    }
  }

  /** The gateway subscribed it by itself. */
  #joined(result: SubscribeResult): void {
    check(!('error' in result), 'refused', result);
    const spec = { target: result.topic, filter: undefined, conflate: false, intervalMs: 0 };
    const subscription = new ModelSubscription(spec, this.#model, this);
    subscription.view = result.view;
    subscription.begin(result, false);
    this.#byView.set(result.view, subscription);
    this.#own = subscription;
  }

  #caughtUp(frame: ServerKinds['caughtUp']): void {
    const topic = this.#gateway.broker.find(frame.topic);
    const reach = topic?.epoch === frame.epoch ? topic.ring.reach : Number.POSITIVE_INFINITY;
    this.subscriptionOf(frame.view).caughtUp(frame, reach);
  }

  #ask(wishes: readonly { readonly subscription: ModelSubscription; readonly start: Start }[]): void {
    if (this.socket === undefined) return;
    const asked = wishes.map(({ subscription, start }): SubscribeWish => {
      const topics = look(this.#gateway.broker, subscription.spec.target).topics;
      return { subscription, wire: wireOf(subscription, start, topics) };
    });
    this.#say('subscribe', { subscriptions: asked.map(({ wire }) => wire) }, (frame) => {
      check(frame.kind === 'subscribed', 'not subscribed', frame);
      const held = this.#gateway.heldAtSubscribe(this.session);
      for (const [i, result] of frame.results.entries())
        this.#granted(asked[i] as SubscribeWish, held[i] as Evidence, result);
    });
  }

  #granted(asked: SubscribeWish, seen: Evidence, result: SubscribeResult): void {
    check(!('error' in result), 'refused', asked.wire, result);
    const { subscription, wire } = asked;
    const own = this.#takeOwn(subscription.spec);
    const asksForPlace = wire.since !== undefined || wire.last !== undefined;
    if (own === undefined || asksForPlace) checkAnswer(wire, seen, result);
    else this.#checkContinued(own, result);
    // What it was told that the gateway can't tell is not its business any more either.
    const isTold = wire.cursor !== undefined || wire.positions !== undefined;
    const isUnknown = isTold && result.recovered === false;
    if (!subscription.wasLive || isUnknown) subscription.joinedSeq = seen.seq;
    if (result.cursor !== undefined) subscription.cursor = result.cursor;
    if (wire.since !== undefined && result.recovered === true) {
      const had = { since: wire.since, seq: knownSeq(seen, wire.cursor) ?? 0, newest: seen.seq };
      subscription.checkBefore(result, had, this.#gateway.loop.nowMs());
    }
    const isPattern = subscription.spec.target.endsWith('*');
    const topics: readonly TopicResult[] = result.topics ?? (isPattern ? [] : [result]);
    for (const topic of topics) {
      const since = wire.since ?? wire.positions?.find((position) => position.topic === topic.topic);
      const continues =
        topic.recovered === true &&
        (since?.epoch === '' || (since?.offset === topic.offset && since.epoch === topic.epoch));
      subscription.begin(topic, continues);
    }
    subscription.view = result.view;
    subscription.wasLive = true;
    this.#byView.set(result.view, subscription);
  }

  /** The gateway's own subscription, if one as this replaces it. */
  #takeOwn(spec: Spec): ModelSubscription | undefined {
    const own = this.#own !== undefined && keyOf(this.#own.spec) === keyOf(spec) ? this.#own : undefined;
    if (own === undefined) return undefined;
    this.#byView.delete(own.view as number);
    this.#own = undefined;
    return own;
  }

  /** It goes on where the gateway's own one was. Without offsets it would get twice what it had. */
  #checkContinued(own: ModelSubscription, { topic, epoch, offset }: Granted): void {
    const had = own.positions.get(topic);
    const isSameEpoch = had?.epoch === epoch;
    const place = isSameEpoch ? had.offset : (this.#model.numbering(topic, epoch)?.start ?? offset);
    const isRight = this.codec.name === 'json' ? offset === place : offset <= place;
    check(isRight, 'not where it was', topic, had, epoch, offset);
  }

  #say<K extends 'connect' | 'subscribe' | 'unsubscribe' | 'setKeys'>(
    kind: K,
    fields: Commands[K],
    answered: (frame: ServerFrame) => void,
  ): void {
    const id = this.#nextId++;
    this.#waiting.set(id, answered);
    const frame = { kind, id, ...fields } as Parameters<Codec['encodeClientFrame']>[0];
    this.socket?.say(this.codec.encodeClientFrame(frame), this.codec.binary);
  }
}

function wireOf(
  { spec, positions, incomplete, wasLive, cursor }: ModelSubscription,
  start: Start,
  topics: readonly HeldTopic[],
): Subscription {
  const { target, filter, intervalMs, conflate, keys } = spec;
  const common = {
    topic: target,
    keys,
    filter: filter === undefined ? undefined : filters[filter]?.filter,
    intervalMs: intervalMs || undefined,
    conflate: conflate || undefined,
  };
  const known = positions.list().filter(({ topic }) => !incomplete.has(topic));
  const last = start.at === 'last' ? start.count : undefined;
  if (!target.endsWith('*')) {
    const since = known[0] ?? startOf(start, target, topics[0]);
    return since === undefined
      ? { ...common, last }
      : { ...common, since: { epoch: since.epoch, offset: since.offset }, cursor };
  }
  if (cursor !== undefined) return { ...common, cursor };
  if (!wasLive) return { ...common, last };
  const none: TopicPosition = { topic: target.slice(0, -1) || 'any', epoch: '', offset: 0 };
  return { ...common, positions: known.length > 0 ? known : [none] };
}

function startOf(start: Start, target: string, held: HeldTopic | undefined): Position | undefined {
  if (start.at === 'foreign') return { epoch: 'foreign', offset: start.offset };
  if (start.at !== 'back' || held === undefined || isState(target)) return undefined;
  return { epoch: held.epoch, offset: Math.max(0, held.newest - start.count) };
}

export function keyOf({ target, filter, intervalMs, conflate, keys }: Spec): string {
  return JSON.stringify([target, filter, intervalMs, conflate, keys]);
}

function publicationsOf(frame: ServerFrame): number {
  return frame.kind === 'batch' || frame.kind === 'snapshot' ? frame.publications.length : 0;
}
