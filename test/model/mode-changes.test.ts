import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LmdbEngine } from '../../src/engines/lmdb/engine.ts';
import type { Mode, Position, Publication, Subscription } from '../../src/protocol/frames.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { retention } from '../engines/lmdb/fixtures.ts';
import { decode } from '../fanout/fixtures.ts';
import { makeGateway } from '../sessions/fixtures.ts';
import { codecs } from '../support/codecs.ts';
import { newFolder } from '../support/temporary.ts';
import { json } from '../topics/fixtures.ts';

/**
 * Random lives of a topic that has another mode after some restarts, and of clients that continue. RUNS=2000 makes more
 * of them.
 */
const runs = Number(process.env['RUNS'] ?? 4);

type Gateway = Awaited<ReturnType<typeof makeGateway>>;

interface Published extends Position {
  readonly n: number;
  readonly key: string | undefined;
  readonly removed: boolean;
  mode: Mode;
}

const topic = 'x:a';

/** Subscribed to the topic by its name, or by a pattern; continues by its position or by its cursor. */
class Client {
  readonly target: string;
  /** Everything that it was handed, by its number. */
  readonly had = new Set<number>();
  /** It needs no more of what was published before this. */
  fromN = 0;
  map = new Map<string, number>();
  at: Position | undefined;
  #cursor: string | undefined;
  #connection: ReturnType<Gateway['connect']>['connection'] | undefined;
  #read = 0;
  #pages = new Map<string, number>();
  readonly #handed = new Set<string>();

  constructor(target: string) {
    this.target = target;
  }

  get isPattern(): boolean {
    return this.target.endsWith('*');
  }

  connect(gateway: Gateway, published: number): void {
    const { connection, command } = gateway.connect(undefined, codecs.protobuf);
    this.#connection = connection;
    this.#read = 0;
    if (this.at === undefined) this.fromN = published;
    command({ kind: 'subscribe', id: 1, subscriptions: [this.#wish()] });
  }

  read(mode: Mode, published: number): void {
    const messages = this.#connection?.messages ?? [];
    for (const message of messages.slice(this.#read))
      this.#take(decode(codecs.protobuf, message), mode, published);
    this.#read = messages.length;
  }

  #wish(): Subscription {
    if (this.at === undefined) return { topic: this.target };
    if (!this.isPattern) return { topic, since: this.at };
    return { topic: this.target, cursor: this.#cursor as string };
  }

  #take(frame: ServerFrame, mode: Mode, published: number): void {
    if (frame.kind === 'batch') {
      this.#cursor = frame.cursor ?? this.#cursor;
      if (this.at?.epoch !== (frame.epoch ?? this.at?.epoch) || this.at === undefined)
        this.#begin({ epoch: frame.epoch as string, offset: frame.after }, false);
      expect(frame.after, 'a gap').toBeLessThanOrEqual(this.at?.offset ?? 0);
      for (const each of frame.publications) if (each.offset > (this.at?.offset ?? 0)) this.#accept(each);
      this.at = { epoch: this.at?.epoch as string, offset: Math.max(this.at?.offset ?? 0, frame.upto) };
      return;
    }
    if ('topic' in frame && frame.topic === '$all') return;
    if (frame.kind === 'snapshot') {
      expect(mode, 'a snapshot').toBe('state');
      if (frame.first) this.#pages = new Map();
      for (const each of frame.publications) this.#pages.set(each.key ?? '', numberOf(each));
      if (frame.last) this.map = this.#pages;
      if (frame.last) this.at = { epoch: frame.epoch, offset: frame.offset };
      return;
    }
    if (frame.kind === 'reset') this.#begin(frame, false);
    if (frame.kind === 'caughtUp') {
      this.#cursor = frame.cursor ?? this.#cursor;
      if (!frame.recovered) this.fromN = published;
      if (frame.epoch !== '') this.#begin(frame, true);
    }
    if (frame.kind !== 'subscribed') return;
    for (const result of frame.results) {
      if (!('view' in result) || result.topic !== this.target) continue;
      this.#cursor = result.cursor ?? this.#cursor;
      if (!this.isPattern) expect(result.mode).toBe(mode);
      if (result.recovered === false) this.fromN = published;
      for (const start of result.topics ?? (this.isPattern ? [] : [result]))
        this.#begin(start, start.recovered === true);
    }
  }

  #begin({ epoch, offset }: Position, continues: boolean): void {
    if (!continues) this.map = new Map();
    this.at = { epoch, offset };
  }

  #accept(publication: Publication): void {
    const n = numberOf(publication);
    // Another numbering may bring it again.
    const inEpoch = `${this.at?.epoch} ${n}`;
    expect(this.#handed.has(inEpoch), 'twice').toBe(false);
    this.#handed.add(inEpoch);
    this.had.add(n);
    if (publication.removed === true) this.map.delete(publication.key ?? '');
    else this.map.set(publication.key ?? '', n);
  }
}

function numberOf({ payload }: Pick<Publication, 'payload'>): number {
  return JSON.parse(Buffer.from(payload.bytes).toString()) as number;
}

class Life {
  readonly #dataDir = newFolder();
  readonly maxPublications: number;
  readonly clients = [new Client(topic), new Client('x:*')];
  readonly published: Published[] = [];
  mode: Mode = 'stream';
  #engine: LmdbEngine | undefined;
  #gateway: Gateway | undefined;

  constructor(maxPublications: number) {
    this.maxPublications = maxPublications;
  }

  get gateway(): Gateway {
    return this.#gateway as Gateway;
  }

  async start(mode: Mode): Promise<void> {
    this.mode = mode;
    const limits = { ...retention, maxPublications: this.maxPublications, mode };
    this.#engine = new LmdbEngine({
      dataDir: this.#dataDir,
      sync: false,
      historyMaxBytes: 2 ** 28,
      retention: () => limits,
    });
    this.#gateway = await makeGateway({
      broker: { engine: this.#engine, nowMs: () => Date.now() },
      topic: { mode, maxPublications: this.maxPublications },
      modeOf: () => mode,
    });
    for (const client of this.clients) client.connect(this.gateway, this.published.length);
    await this.#pass();
  }

  async restart(mode: Mode): Promise<void> {
    await this.check();
    await this.#engine?.close();
    await this.start(mode);
    // What a state topic held is no history: the rest is what the ring has.
    for (const each of this.published) if (mode === 'stream') each.mode = 'stream';
  }

  async publish(key: string | undefined, removed: boolean, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const n = this.published.length;
      const [outcome] = await this.gateway.publish(topic, {
        key,
        payload: json(n),
        ...(removed && { removed }),
      });
      if (outcome?.ok !== true) throw new Error('not published');
      const { epoch, offset } = outcome;
      const isTaken = this.published.some((each) => each.epoch === epoch && each.offset === offset);
      expect(isTaken, 'an offset that was given before').toBe(false);
      this.published.push({ n, key, removed, mode: this.mode, epoch, offset });
    }
  }

  async check(): Promise<void> {
    await this.#pass();
    const known = this.gateway.broker.find(topic);
    expect(this.gateway.faults).toEqual([]);
    if (known === undefined) return;
    const { epoch, position, ring } = known;
    for (const client of this.clients) {
      if (client.at === undefined || position.epoch === '') continue;
      expect([client.target, client.at], 'not up to date').toEqual([client.target, position]);
      const isKept = (each: Published) => each.epoch === epoch && each.offset > ring.reach;
      if (this.mode === 'state') {
        const newest = new Map(this.published.map((each) => [each.key ?? '', each]));
        for (const [key, { removed, n, ...each }] of newest) {
          const held = client.map.get(key);
          if (removed) expect(held, `${key} is removed`).toBe(undefined);
          else if (held !== undefined || each.mode === 'state' || isKept({ ...each, n, removed }))
            expect([key, held], 'a value').toEqual([key, n]);
        }
      } else {
        const lost = this.published.filter(({ n }) => n >= client.fromN && !client.had.has(n));
        expect([client.target, lost.map(({ n }) => n)], 'lost').toEqual([client.target, []]);
      }
    }
  }

  async end(): Promise<void> {
    await this.#engine?.close();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  async #pass(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      this.gateway.turns.advance(100);
      await this.gateway.settle();
    }
    for (const client of this.clients) client.read(this.mode, this.published.length);
  }
}

const keys = [undefined, 'k1', 'k2'];
const other: Readonly<Record<Mode, Mode>> = { state: 'stream', stream: 'state' };
const steps: Readonly<Record<string, (life: Life, pick: number) => unknown>> = {
  publish: (life, pick) => life.publish(keys[pick % 3], false, 1 + (pick % 2)),
  burst: (life, pick) => life.publish(keys[pick % 3], false, 8),
  remove: (life, pick) => life.publish(keys[pick % 3], true, 1),
  restart: (life) => life.restart(life.mode),
  change: (life) => life.restart(other[life.mode]),
};
const step = fc.tuple(fc.constantFrom(...Object.keys(steps), 'publish', 'publish', 'change'), fc.nat(5));

test(
  'a topic whose mode changes with restarts loses nothing in silence, and shows no value of the past',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(3, 6, 1000),
        fc.array(step, { maxLength: 14, size: 'max' }),
        async (maxPublications, steps_) => {
          const life = new Life(maxPublications);
          try {
            await life.start('stream');
            for (const [name, pick] of steps_) await steps[name]?.(life, pick);
            await life.check();
          } finally {
            await life.end();
          }
        },
      ),
      {
        numRuns: runs,
      },
    );
  },
  60_000 + runs * 10_000,
);
