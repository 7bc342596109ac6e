import { EventReader } from '../../src/client/http/event-reader.ts';
import type { SubscribeResult, Subscription } from '../../src/protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../src/protocol/server-frames.ts';
import { utf8 } from '../../src/protocol/utf8.ts';
import { reaches } from '../../src/topics/topic-name.ts';
import type { PollResponse } from '../../src/transport/uws/poll-connection.ts';
import { codecs } from '../support/codecs.ts';
import type { ModelClient, Start } from './client.ts';
import { keyOf } from './client.ts';
import type { Gateway } from './gateway.ts';
import { filters, heardOf, isState, type Model } from './model.ts';
import type { Link } from './network.ts';
import type { Evidence } from './prediction.ts';
import { anything, check, ModelSubscription, type Spec } from './subscription.ts';

export type StreamTransport = 'sse' | 'poll';

/** With as many as it has, no cursor of it is too long for all exceptions: nothing comes twice. */
const subscriptionsMax = 4;

/**
 * A client of streams: all that it knows of its position is the newest cursor. To change its topics it opens another
 * stream with that.
 */
export class StreamClient implements ModelClient {
  readonly sessions = new Set<string>();
  session = '';
  readonly wanted = new Set<ModelSubscription>();
  received = 0;
  cutOff = 0;
  ends = 0;
  gateway: Gateway;
  cursor = '';
  readonly #model: Model;
  /** `$all`, which every session joins. */
  readonly #everyone: ModelSubscription;
  #asked: readonly ModelSubscription[] = [];
  readonly #byView = new Map<number, ModelSubscription>();
  #subscribed = 0;
  /** Losses that a reply has told, and that follow it as events of a stream. */
  #toldGaps = 0;

  /** What each stream so far was granted. */
  readonly #streams: GrantedStream[] = [];
  /** Offsets of streams that have come, or were named, by numbering. */
  readonly #told = new Map<string, Set<number>>();

  /** By each of them in turn, each time that it moves. */
  readonly #lines: readonly Line[];
  #line: Line;

  constructor(model: Model, gateway: Gateway, transports: readonly StreamTransport[]) {
    this.#model = model;
    this.gateway = gateway;
    this.#lines = transports.map((transport) => new (transport === 'sse' ? SseLine : PollLine)(this));
    this.#line = this.#lines[0] as Line;
    const spec = { target: '$all', filter: undefined, conflate: false, intervalMs: 0 };
    this.#everyone = new ModelSubscription(spec, model, this);
  }

  leave(): void {
    this.#line.giveUp();
  }

  moveTo(gateway: Gateway): void {
    this.gateway = gateway;
    for (const line of this.#lines) line.moved();
  }

  connect(): void {
    this.#line.connect();
  }

  disconnect(): void {
    this.#line.disconnect();
  }

  read(bytes: number): void {
    for (const line of this.#lines) line.read(bytes);
  }

  roam(): void {
    const wasOpen = this.#line.giveUp();
    this.#line = this.#lines[(this.#lines.indexOf(this.#line) + 1) % this.#lines.length] as Line;
    if (wasOpen) this.#line.connect();
  }

  #reopen(): void {
    const wasOpen = this.#line.giveUp();
    if (wasOpen || this.wanted.size === 1) this.#line.connect();
  }

  subscribe(specs: readonly Spec[], _start?: Start): void {
    // What it joins by itself it does not ask for.
    const taken = new Set([this.#everyone, ...this.wanted].map(({ spec }) => keyOf(spec)));
    const fresh = specs.filter((spec) => !taken.has(keyOf(spec)) && taken.add(keyOf(spec)));
    // What it has just given up goes on: polls with the same subscriptions and cursor continue in their session.
    const asked = new Map(this.#asked.map((each) => [keyOf(each.spec), each]));
    for (const spec of fresh.slice(0, subscriptionsMax - this.wanted.size))
      this.wanted.add(asked.get(keyOf(spec)) ?? new ModelSubscription(spec, this.#model, this));
    this.#reopen();
  }

  exchange(specs: readonly Spec[]): void {
    this.wanted.clear();
    this.subscribe(specs);
  }

  unsubscribe(pick: number): void {
    const subscription = [...this.wanted][pick % Math.max(1, this.wanted.size)];
    if (subscription === undefined) return;
    this.wanted.delete(subscription);
    this.#reopen();
  }

  takeUp(): void {}

  /** It would be another stream: that is what it does when it subscribes. */
  setKeys(): void {}

  /** Of the session before, or of one before that. */
  mayLack(except: string | undefined): boolean {
    return except !== undefined && this.sessions.has(except);
  }

  /** What is asked for now. */
  ask() {
    this.#asked = [...this.wanted];
    return { subscriptions: this.#asked.map(({ spec }) => wireOf(spec)), cursor: this.cursor };
  }

  take(name: string, message: Uint8Array): void {
    const decoded = codecs.json.decodeServerFrame(message);
    check(decoded.ok, 'no frame', decoded, Buffer.from(message).toString());
    const { frame } = decoded;
    if (frame.kind === 'batch' || frame.kind === 'snapshot') this.received += frame.publications.length;
    if (name === 'gap' && this.#toldGaps > 0) this.#toldGaps--;
    else this.#take(frame);
  }

  #take(frame: ServerFrame): void {
    const nowMs = this.gateway.loop.nowMs();
    this.#note(frame);
    switch (frame.kind) {
      case 'connected':
        this.session = frame.session;
        this.sessions.add(frame.session);
        this.#byView.clear();
        this.#subscribed = 0;
        return;
      case 'subscribed':
        this.#granted(frame.results);
        return;
      case 'batch':
        this.#of(frame.view).streamed(frame, nowMs);
        return;
      case 'snapshot':
        this.#of(frame.view).snapshot(frame, nowMs);
        return;
      case 'reset':
        this.#of(frame.view).reset(frame);
        return;
      case 'caughtUp':
        this.#caughtUp(frame);
        return;
      default:
        check(frame.kind === 'lagging' || frame.kind === 'goingAway', 'an unexpected frame', frame);
    }
  }

  /** What it was always subscribed to, by whichever of its subscriptions, has come or was named. */
  checkSettled(): void {
    const nowMs = this.gateway.loop.nowMs();
    for (const topic of this.#model.topics()) {
      const afterSeq = isState(topic) ? undefined : this.#subscribedSince(topic);
      const numbering = [...this.#model.numberings(topic)].at(-1);
      if (afterSeq === undefined || numbering?.engine !== this.#model.engines) continue;
      const told = this.#told.get(`${topic} ${numbering.epoch}`);
      const lacking = heardOf(numbering).filter(
        ({ seq, offset, except, expiresAtMs }) =>
          seq > afterSeq && told?.has(offset) !== true && !this.mayLack(except) && expiresAtMs > nowMs,
      );
      check(lacking.length === 0, 'lost between subscriptions', topic, afterSeq, lacking);
    }
  }

  /** After which commit; undefined: it is not, or not to all of it. */
  #subscribedSince(topic: string): number | undefined {
    const isAmong = (specs: readonly Spec[]) =>
      specs.some((spec) => isWhole(spec) && reaches(spec.target, topic));
    if (!isAmong([...this.wanted].map(({ spec }) => spec))) return undefined;
    let since: number | undefined;
    for (const { specs, gaps, engine, seq } of [...this.#streams].reverse()) {
      if (engine !== this.#model.engines || !isAmong(specs)) break;
      since = seq;
      if (gaps.some((target) => reaches(target, topic))) break;
    }
    return since;
  }

  #note(frame: ServerFrame): void {
    if (frame.kind === 'batch') {
      const { view, publications } = frame;
      const topic = frame.topic ?? this.#of(view).spec.target;
      const epoch = frame.epoch ?? this.#of(view).positions.get(topic)?.epoch ?? '';
      for (const { offset } of publications) this.#tell(topic, epoch, offset - 1, offset);
    } else if (frame.kind === 'reset') {
      this.#tell(frame.topic, frame.epoch, 0, frame.offset);
      for (const { epoch, start, publications } of this.#model.numberings(frame.topic))
        if (epoch !== frame.epoch) this.#tell(frame.topic, epoch, 0, start + publications.length);
    } else if (frame.kind === 'caughtUp' && frame.missing !== undefined)
      this.#tell(frame.topic, frame.epoch, frame.missing.after, frame.missing.upto);
  }

  /** The gateway knows no numbering of it: until now anything may have come and gone while it was away. */
  #tellAll(target: string): void {
    for (const topic of this.#model.topics())
      if (reaches(target, topic))
        for (const { epoch, start, publications } of this.#model.numberings(topic))
          this.#tell(topic, epoch, start, start + publications.length);
  }

  #tell(topic: string, epoch: string, after: number, upto: number): void {
    const key = `${topic} ${epoch}`;
    const told = this.#told.get(key) ?? new Set();
    this.#told.set(key, told);
    for (let offset = after + 1; offset <= upto; offset++) told.add(offset);
  }

  #caughtUp(frame: ServerKinds['caughtUp']): void {
    const topic = this.gateway.broker.find(frame.topic);
    const reach = topic?.epoch === frame.epoch ? topic.ring.reach : Number.POSITIVE_INFINITY;
    this.#of(frame.view).caughtUp(frame, reach);
  }

  #of(view: number): ModelSubscription {
    const subscription = this.#byView.get(view);
    check(subscription !== undefined, 'a frame for a view that it does not have', view);
    return subscription;
  }

  /** First what it joins by itself, then what it has asked for. */
  #granted(results: readonly SubscribeResult[]): void {
    const isOwn = this.#subscribed++ === 0;
    const subscriptions = isOwn ? [this.#everyone] : this.#asked;
    const held: readonly Evidence[] = isOwn ? [] : this.gateway.heldAtSubscribe(this.session);
    const isGap = (result: SubscribeResult) => !('error' in result) && result.recovered === false;
    this.#toldGaps = results.filter(isGap).length;
    if (!isOwn) {
      const specs = subscriptions.map(({ spec }) => spec);
      const gaps = results.filter(isGap).map(({ topic }) => topic);
      for (const result of results)
        if (isGap(result) && 'epoch' in result && result.epoch === '') this.#tellAll(result.topic);
      const { engines: engine } = this.#model;
      this.#streams.push({ specs, gaps, engine, seq: Math.max(...held.map(({ seq }) => seq)) });
    }
    check(results.length === subscriptions.length, 'not what was asked for', results);
    for (const [i, result] of results.entries()) {
      check(!('error' in result), 'refused', result);
      const subscription = subscriptions[i] as ModelSubscription;
      const { seq, topics } = held[i] ?? { ...anything, topics: [] };
      const kept = { seq, reach: topics[0]?.reach ?? anything.reach };
      subscription.continued(result, kept, this.gateway.loop.nowMs());
      subscription.view = result.view;
      this.#byView.set(result.view, subscription);
    }
  }
}

interface GrantedStream {
  readonly specs: readonly Spec[];
  /** Targets of which it was told that it may lack something. */
  readonly gaps: readonly string[];
  readonly engine: number;
  /** The newest commit then. */
  readonly seq: number;
}

/** How a client of streams gets its frames. */
interface Line {
  connect(): void;
  disconnect(): void;
  read(bytes: number): void;
  /** The connection that it has is given up for another one. Returns whether it had one. */
  giveUp(): boolean;
  /** What was under way is lost with the gateway. */
  moved(): void;
}

/** By a stream of Server-Sent Events, cut at any byte. */
class SseLine implements Line {
  readonly #client: StreamClient;
  #link: Link | undefined;
  #readBytes = Number.POSITIVE_INFINITY;

  constructor(client: StreamClient) {
    this.#client = client;
  }

  connect(): void {
    const client = this.#client;
    if (this.#link !== undefined || client.wanted.size === 0) return;
    const events = new EventReader();
    const decoder = new TextDecoder();
    const link: Link = client.gateway.openStream(client.ask(), {
      read: (bytes) => {
        for (const { name, id, data } of events.read(decoder.decode(bytes, { stream: true }))) {
          if (this.#link !== link) return;
          client.take(name, utf8(data));
          if (id !== undefined) client.cursor = id;
        }
      },
      closed: () => {
        client.ends++;
        if (this.#link === link) this.#link = undefined;
      },
    });
    link.readBytes = this.#readBytes;
    this.#link = link;
  }

  disconnect(): void {
    if (this.#link !== undefined) this.#link.isAbandoned = true;
  }

  read(bytes: number): void {
    this.#readBytes = bytes;
    if (this.#link !== undefined) this.#link.readBytes = bytes;
  }

  giveUp(): boolean {
    const isOpen = this.#link !== undefined;
    this.disconnect();
    this.#link = undefined;
    return isOpen;
  }

  /** The network closes it. */
  moved(): void {}
}

/** By polls: each follows the answer of the one before, unless it stalls or is away. */
class PollLine implements Line {
  readonly #client: StreamClient;
  #isConnected = false;
  #isStalled = false;
  /** The poll that waits, or whose answer is under way. */
  #run = 0;
  #abandon: (() => void) | undefined;

  constructor(client: StreamClient) {
    this.#client = client;
  }

  connect(): void {
    this.#isConnected = true;
    this.#poll();
  }

  disconnect(): void {
    if (!this.#isConnected) return;
    this.#client.ends++;
    this.giveUp();
  }

  moved(): void {
    this.#run++;
    this.#abandon = undefined;
  }

  read(bytes: number): void {
    this.#isStalled = bytes === 0;
    if (this.#isConnected) this.#poll();
  }

  /** What is under way is never received. */
  giveUp(): boolean {
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    this.#run++;
    this.#abandon?.();
    this.#abandon = undefined;
    return wasConnected;
  }

  #poll(): void {
    const client = this.#client;
    if (!this.#isConnected || this.#isStalled || this.#abandon !== undefined || client.wanted.size === 0)
      return;
    const run = ++this.#run;
    const { loop } = client.gateway;
    const respond = (given: PollResponse) =>
      loop.atTurnEnd(() => {
        if (run === this.#run) this.#answered(given);
      });
    this.#abandon = () => undefined;
    const abandon = client.gateway.poll(client.ask(), { respond, drop: () => this.disconnect() });
    if (run === this.#run) this.#abandon = abandon;
  }

  #answered({ frames, cursor }: PollResponse): void {
    this.#abandon = undefined;
    for (const frame of frames) this.#client.take('', frame);
    if (cursor !== undefined) this.#client.cursor = cursor;
    this.#poll();
  }
}

function isWhole({ filter, conflate, keys }: Spec): boolean {
  return filter === undefined && !conflate && keys === undefined;
}

function wireOf({ target, filter, intervalMs, conflate, keys }: Spec): Subscription {
  return {
    topic: target,
    ...(keys !== undefined && { keys }),
    filter: filter === undefined ? undefined : filters[filter]?.filter,
    intervalMs: intervalMs || undefined,
    conflate: conflate || undefined,
  };
}
