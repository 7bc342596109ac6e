import type { CompressionCosts } from '../../src/fanout/compression-cost.ts';
import type { DictionaryPolicy } from '../../src/fanout/dictionary.ts';
import { Encoder } from '../../src/fanout/encoder.ts';
import { Fanout, type FanoutOptions } from '../../src/fanout/fanout.ts';
import type { Member, OutFrame, Sink } from '../../src/fanout/sink.ts';
import type { Turns } from '../../src/fanout/turns.ts';
import type { View } from '../../src/fanout/view.ts';
import type { ViewOptions } from '../../src/fanout/view-options.ts';
import type { GatewayCodec } from '../../src/protocol/codec.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import type { Broker, BrokerOptions } from '../../src/topics/broker.ts';
import { compileFilter } from '../../src/topics/filter.ts';
import type { TopicOptions } from '../../src/topics/topic.ts';
import type { Codec } from '../support/codecs.ts';
import { codecs } from '../support/codecs.ts';
import { expandBatch } from '../support/expand-batch.ts';
import { Expander } from '../support/expander.ts';
import { fields, makeBroker } from '../topics/fixtures.ts';

/** An event loop that turns only when it is told to. */
export class FakeTurns implements Turns {
  #nowMs = 1_000_000;
  #beforeEnd: (() => void)[] = [];
  #atEnd: (() => void)[] = [];
  #timers: { readonly atMs: number; readonly run: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  atTurnEnd(run: () => void): void {
    this.#atEnd.push(run);
  }

  beforeTurnEnd(run: () => void): void {
    this.#beforeEnd.push(run);
  }

  after(delayMs: number, run: () => void): void {
    this.#timers.push({ atMs: this.#nowMs + delayMs, run });
  }

  get timers(): number {
    return this.#timers.length;
  }

  get asked(): number {
    return this.#beforeEnd.length + this.#atEnd.length;
  }

  /** The end of one turn. */
  turn(): void {
    const due = [...this.#beforeEnd, ...this.#atEnd];
    this.#beforeEnd = [];
    this.#atEnd = [];
    for (const run of due) run();
  }

  /** Turns until no further turn is asked for. */
  settle(): void {
    for (let turns = 0; this.asked > 0; turns++) {
      if (turns > 10_000) throw new Error('the turns never end');
      this.turn();
    }
  }

  /** Moves on, and runs what is due, all in one turn that has not ended. */
  elapse(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { run } of due) run();
  }

  /** Moves on, and runs what is due in its order, each in a turn of its own. */
  advance(ms: number): void {
    this.settle();
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      this.settle();
    }
    this.#nowMs = endMs;
  }
}

/** Takes the bytes of a channel that it joined. */
export interface Hearer {
  /** The id of its session. */
  readonly id?: string;
  receive(bytes: Uint8Array): void;
}

export interface SentFrame extends OutFrame {
  readonly turn: number;
  readonly atMs: number;
  /** Who got `instead`. */
  readonly except: string | undefined;
  readonly instead: OutFrame | undefined;
}

/** Writes down the frames, and hands their bytes to who joined the channel. */
export class FakeSink implements Sink {
  readonly transport = 'fake';
  readonly framesMaxPerTurn: number;
  /** One that hears nothing. */
  readonly member: Member = { sink: this, join: () => undefined, leave: () => undefined };
  readonly frames: SentFrame[] = [];
  readonly channels = new Map<string, Set<Hearer>>();
  turns = 0;
  /** Called before the frames of a turn, as drops are told there. */
  onTurn: () => void = () => undefined;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number, framesMaxPerTurn = 31) {
    this.framesMaxPerTurn = framesMaxPerTurn;
    this.#nowMs = nowMs;
  }

  beginTurn(): void {
    this.turns++;
    this.onTurn();
  }

  publish(frame: OutFrame): void {
    this.#record(frame, undefined, undefined);
    for (const receiver of this.channels.get(frame.view.channel) ?? []) receiver.receive(frame.bytes);
  }

  publishExcept(frame: OutFrame, _members: number, except: string, instead: () => OutFrame): void {
    const other = instead();
    this.#record(frame, except, other);
    for (const receiver of this.channels.get(frame.view.channel) ?? []) {
      receiver.receive(receiver.id === except ? other.bytes : frame.bytes);
    }
  }

  of(view: View): SentFrame[] {
    return this.frames.filter((frame) => frame.view === view);
  }

  /** How many frames each turn took that took any; what a session gets in place of a frame is one more. */
  perTurn(): number[] {
    const counts = new Map<number, number>();
    for (const { turn, instead } of this.frames)
      counts.set(turn, (counts.get(turn) ?? 0) + (instead === undefined ? 1 : 2));
    return [...counts.values()];
  }

  #record(frame: OutFrame, except: string | undefined, instead: OutFrame | undefined): void {
    this.frames.push({ ...frame, turn: this.turns, atMs: this.#nowMs(), except, instead });
  }
}

/** A codec that counts the work it is asked for. */
export function countingCodec(name: Codec['name']): { codec: Codec; counts: Map<string, number> } {
  const counts = new Map<string, number>();
  const counted =
    <A extends unknown[], R>(what: string, work: (...args: A) => R) =>
    (...args: A): R => {
      counts.set(what, (counts.get(what) ?? 0) + 1);
      return work(...args);
    };
  const real = codecs[name];
  const codec: Codec = {
    ...real,
    encodePublication: counted('encodePublication', real.encodePublication),
    frameBatch: counted('frameBatch', real.frameBatch),
    frameCompressedBatch:
      real.frameCompressedBatch && counted('frameCompressedBatch', real.frameCompressedBatch),
  };
  return { codec, counts };
}

export function decode({ name }: Pick<GatewayCodec, 'name'>, bytes: Uint8Array): ServerFrame {
  const decoded = codecs[name as Codec['name']].decodeServerFrame(bytes);
  if (!decoded.ok) throw new Error(decoded.message);
  return decoded.frame;
}

export type Batch = Extract<ServerFrame, { kind: 'batch' }>;

/** Hears a view as a client does. */
export class Listener implements Hearer {
  readonly frames: ServerFrame[] = [];
  readonly #expander = new Expander();

  constructor(sink: FakeSink, view: View) {
    sink.channels.set(view.channel, (sink.channels.get(view.channel) ?? new Set()).add(this));
  }

  receive(bytes: Uint8Array): void {
    this.frames.push(this.#expander.take(decode(codecs.protobuf, bytes)));
  }

  get batches(): Batch[] {
    return this.frames.filter((frame): frame is Batch => frame.kind === 'batch');
  }

  get dictionaries(): Extract<ServerFrame, { kind: 'dictionary' }>[] {
    return this.frames.filter((frame) => frame.kind === 'dictionary');
  }

  /** Of the publications, in the order of their arrival. */
  get offsets(): number[] {
    return this.batches.flatMap(({ publications }) => publications.map(({ offset }) => offset));
  }
}

/** A batch as its receiver has it in the end. */
export function decodeBatch({ view, bytes }: Pick<OutFrame, 'view' | 'bytes'>): Batch {
  const frame = decode(view.options.codec, bytes);
  if (frame.kind !== 'batch') throw new Error(`${frame.kind} is no batch`);
  const expanded = expandBatch(frame, new Map());
  if (!expanded.ok) throw new Error('a batch is damaged');
  return { ...frame, publications: expanded.publications, compressed: undefined };
}

export function offsetsOf(frame: Pick<OutFrame, 'view' | 'bytes'>): number[] {
  return decodeBatch(frame).publications.map(({ offset }) => offset);
}

/** Compression that always pays, and dictionaries that are soon made and soon replaced. */
export const eagerCompression = {
  compressMinBytes: 1,
  dictionaryMinBytes: 1,
  costs: { callNs: 0, byteNs: 0, dictionaryByteNs: 0, savedByteNs: 1 },
  dictionaries: { fillBytes: 1, maxBytes: 1000, trialBatches: 3, trialMs: 0, trialRuns: 1 },
};

export interface WorldOptions {
  readonly topic?: Partial<TopicOptions>;
  readonly broker?: Partial<Omit<BrokerOptions, 'namespace'>>;
  readonly batch?: Partial<ReturnType<FanoutOptions['batch']>>;
  readonly fanout?: Partial<Pick<FanoutOptions, 'refresh' | 'viewsPerTopic' | 'viewsMax'>>;
  readonly compressMinBytes?: number;
  readonly dictionaryMinBytes?: number;
  readonly dictionaries?: DictionaryPolicy;
  readonly costs?: CompressionCosts;
}

export const noRefresh: FanoutOptions['refresh'] = {
  plans: [],
  pageBytes: 16_384,
  budget: { isFree: true, charge: () => undefined },
};

/** A fan-out with a real broker and real codecs between a fake event loop and a fake sink. */
export async function makeWorld(options: WorldOptions = {}) {
  const turns = new FakeTurns();
  const sink = new FakeSink(() => turns.nowMs());
  const { broker, counts } = makeBroker({
    nowMs: () => turns.nowMs(),
    monotonicMs: () => turns.nowMs(),
    topic: options.topic,
    ...options.broker,
  });
  const encoder = new Encoder({
    compressMinBytes: options.compressMinBytes ?? 0,
    dictionaryMinBytes: options.dictionaryMinBytes ?? 64,
    dictionaries: options.dictionaries,
    costs: options.costs,
    nowMs: () => turns.nowMs(),
    metrics: counts.metrics,
  });
  const fanout = new Fanout({
    broker,
    encoder,
    turns,
    metrics: counts.metrics,
    batch: () => ({ maxDelayMs: 5, maxBytes: 65_536, maxPublications: 10_000, ...options.batch }),
    refresh: noRefresh,
    viewsPerTopic: 64,
    viewsMax: 10_000,
    ...options.fanout,
  });
  await broker.open(fanout);

  const view = (target: string, more: Partial<ViewOptions> = {}): View =>
    fanout.attach(viewOptions(target, more));
  /** A view with one member. */
  const live = (target: string, more: Partial<ViewOptions> = {}): View => {
    const attached = view(target, more);
    fanout.addMember(attached, sink.member);
    return attached;
  };
  /** Publishes in one turn, and does not end it. */
  const publish = async (topic: string, ...publishes: Partial<PublishFields>[]) => {
    const each = publishes.length === 0 ? [{}] : publishes;
    return broker.publish(each.map((more) => fields(topic, more)));
  };
  return { broker, fanout, turns, sink, counts, view, live, publish };
}

export function viewOptions(target: string, more: Partial<ViewOptions> = {}): ViewOptions {
  const plain = { filter: undefined, intervalMs: 0, conflate: false, dictionaries: false };
  return { target, codec: codecs.protobuf, ...plain, ...more };
}

export const onlyRoom = (room: string) => compileFilter({ op: 'eq', tag: 'room', value: room });

export function topicOf(broker: Broker, name: string) {
  const topic = broker.find(name);
  if (topic === undefined) throw new Error(`no topic ${name}`);
  return topic;
}

/** What frames cover, each as `after-upto`. */
export function ranges(frames: readonly SentFrame[]): string {
  return frames.map(({ after, upto }) => `${after}-${upto}`).join(' ');
}

export function batches(frames: readonly SentFrame[]): SentFrame[] {
  return frames.filter(({ view, bytes }) => decode(view.options.codec, bytes).kind === 'batch');
}
