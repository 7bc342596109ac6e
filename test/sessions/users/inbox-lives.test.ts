import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryEngine } from '../../../src/engines/memory.ts';
import type { Position } from '../../../src/protocol/frames.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { decode } from '../../fanout/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { json } from '../../topics/fixtures.ts';
import { makeGateway, user } from '../fixtures.ts';

/**
 * Random lives of the devices of one user. Each publication to the user's topic is known by the number in its payload.
 * RUNS=5000 makes more of them.
 */
const runs = Number(process.env['RUNS'] ?? 500);

const alice = 'user:alice';

interface Options {
  readonly numberingsMax: number;
  readonly limitBytes: number;
  readonly maxPublications: number;
}

type Gateway = Awaited<ReturnType<typeof makeGateway>>;

interface Place extends Position {
  /** The session that does not get it, as its device has made it. */
  readonly except: string | undefined;
}

/** A device that acknowledges by itself, or one that compares no offsets and acknowledges nothing. */
class Device {
  readonly session: ReturnType<Gateway['connect']>['session'];
  readonly connection: ReturnType<Gateway['connect']>['connection'];
  readonly command: ReturnType<Gateway['connect']>['command'];
  readonly acknowledges: boolean;
  readonly had: number[] = [];
  /** It has to be sent everything after this position. */
  from: Position | undefined;
  #read = 0;
  #id = 1;
  #view = 0;
  #newest = 0;
  #epoch = '';

  constructor(gateway: Gateway, acknowledges: boolean) {
    const made = gateway.connect(user('alice'), acknowledges ? codecs.protobuf : codecs.json);
    ({ session: this.session, connection: this.connection, command: this.command } = made);
    this.acknowledges = acknowledges;
    if (acknowledges) this.command({ kind: 'connect', id: this.#id++, capabilities: ['acks'] });
  }

  subscribe(): void {
    this.command({ kind: 'subscribe', id: this.#id++, subscriptions: [{ topic: alice }] });
  }

  acknowledge(): void {
    if (!this.acknowledges || this.#newest === 0) return;
    const acks = [{ view: this.#view, epoch: this.#epoch, offset: this.#newest }];
    this.command({ kind: 'ping', id: this.#id++, acks });
  }

  covers({ epoch, offset }: Position): boolean {
    return epoch === this.#epoch && offset <= this.#newest;
  }

  /** What has left its buffer. Returns whether it was told of a loss. */
  read(): boolean {
    if (this.connection.buffered > 0) return false;
    let isTold = false;
    for (const message of this.connection.messages.slice(this.#read))
      isTold = this.#take(decode(this.connection.codec, message)) || isTold;
    this.#read = this.connection.messages.length;
    return isTold;
  }

  #take(frame: ServerFrame): boolean {
    if (frame.kind === 'batch') {
      for (const { payload, offset } of frame.publications) {
        if (offset > this.#newest || !this.acknowledges) this.had.push(numberOf(payload.bytes));
        this.#newest = Math.max(this.#newest, offset);
      }
      this.#newest = Math.max(this.#newest, frame.upto);
      return false;
    }
    if (frame.kind === 'reset') this.#begin(frame, true);
    if (frame.kind === 'caughtUp' && frame.recovered === false) this.from = frame;
    if (frame.kind === 'caughtUp') return frame.recovered === false;
    if (frame.kind !== 'subscribed') return false;
    const results = frame.results.filter((result) => 'view' in result && result.topic === alice);
    for (const result of results)
      if ('view' in result) {
        this.#view = result.view;
        this.#begin(result, this.from === undefined || result.recovered === false);
      }
    return results.some((result) => 'view' in result && result.recovered === false);
  }

  #begin(position: Position, isFrom: boolean): void {
    this.#epoch = position.epoch;
    this.#newest = position.offset;
    if (isFrom || position.epoch !== this.from?.epoch) this.from = position;
  }
}

class Life {
  readonly gateway: Gateway;
  readonly devices: Device[] = [];
  readonly had = new Set<number>();
  /** What was gone when a device was told that something may be. */
  readonly named = new Set<number>();
  readonly #places = new Map<number, Place>();

  constructor(gateway: Gateway) {
    this.gateway = gateway;
  }

  static async begin({ numberingsMax, limitBytes, maxPublications }: Options): Promise<Life> {
    const engine = new MemoryEngine({ isState: () => false, numberingsMax });
    const topic = { maxPublications, maxAgeMs: 4000 };
    const life = new Life(await makeGateway({ broker: { engine }, topic, backpressureMaxBytes: limitBytes }));
    // Of a user of whom nothing is known it is not known what was missed either.
    await life.publish(1);
    life.connect(false);
    await life.gateway.settle();
    for (let i = 0; i < 2; i++) life.gateway.inbox.sweep();
    return life;
  }

  device(pick: number): Device | undefined {
    return this.devices[pick % Math.max(1, this.devices.length)];
  }

  async publish(count: number, except?: string): Promise<void> {
    for (let i = 0; i < count; i++) {
      const n = this.#places.size;
      const [outcome] = await this.gateway.publish(alice, { payload: json(n), except });
      if (outcome?.ok !== true) throw new Error('not published');
      this.#places.set(n, { epoch: outcome.epoch, offset: outcome.offset, except });
    }
  }

  connect(acknowledges: boolean): void {
    if (this.devices.length < 6) this.devices.push(new Device(this.gateway, acknowledges));
  }

  leave(pick: number): void {
    const device = this.device(pick);
    if (device === undefined) return;
    this.read();
    this.gateway.sessions.close(device.session);
    this.devices.splice(this.devices.indexOf(device), 1);
  }

  read(): void {
    for (const device of this.devices) {
      const isTold = device.read();
      for (const n of device.had) {
        expect(this.#places.get(n)?.except, 'its own').not.toBe(device.session.id);
        this.had.add(n);
      }
      // One that its device has made is no news to the user once the device was told that it is there.
      for (const [n, { except, ...position }] of this.#places)
        if (except === device.session.id && device.covers(position)) this.had.add(n);
      if (!device.acknowledges) expect(device.had, 'twice').toEqual([...new Set(device.had)]);
      if (isTold) for (const n of this.#places.keys()) if (this.#isGone(n)) this.named.add(n);
    }
  }

  async settle(): Promise<void> {
    for (const { connection } of this.devices) {
      connection.stalled = false;
      connection.drain();
    }
    for (let i = 0; i < 3; i++) {
      this.gateway.turns.advance(100);
      await this.gateway.settle();
    }
    this.read();
    for (const device of this.devices) this.#checkComplete(device);
    this.devices.length = 0;
    this.connect(true);
    await this.gateway.settle();
    this.read();
    expect(this.gateway.faults).toEqual([]);
    const lost = [...this.#places.keys()].filter((n) => !this.had.has(n) && !this.named.has(n));
    expect(lost, 'lost in silence').toEqual([]);
  }

  #checkComplete({ from, had, session }: Device): void {
    const due = [...this.#places].filter(
      ([, { epoch, offset, except }]) =>
        epoch === from?.epoch && offset > from.offset && except !== session.id,
    );
    expect(
      due.map(([n]) => n).filter((n) => !had.includes(n)),
      'a device lacks',
    ).toEqual([]);
  }

  #isGone(n: number): boolean {
    const { epoch, offset } = this.#places.get(n) as Place;
    const topic = this.gateway.broker.find(alice);
    return topic === undefined || topic.epoch !== epoch || offset <= topic.ring.reach;
  }
}

function numberOf(payload: Uint8Array): number {
  return JSON.parse(Buffer.from(payload).toString()) as number;
}

const steps: Readonly<Record<string, (life: Life, pick: number) => unknown>> = {
  publish: (life, pick) => life.publish(1 + (pick % 3)),
  publishExcept: (life, pick) => life.publish(1, life.device(pick)?.session.id),
  connect: (life, pick) => life.connect(pick % 2 === 0),
  leave: (life, pick) => life.leave(pick),
  stall: (life, pick) => {
    const device = life.device(pick);
    if (device !== undefined) device.connection.stalled = true;
  },
  drain: (life, pick) => {
    const device = life.device(pick);
    if (device === undefined) return;
    device.connection.stalled = false;
    device.connection.drain();
  },
  subscribe: (life, pick) => life.device(pick)?.subscribe(),
  acknowledge: (life, pick) => life.device(pick)?.acknowledge(),
  sweep: (life) => life.gateway.inbox.sweep(),
  sweepTopics: (life) => life.gateway.broker.sweep(),
  turn: (life) => life.gateway.turns.turn(),
  settle: (life) => life.gateway.settle(),
  advance: (life, pick) => life.gateway.turns.advance([10, 600, 5000][pick % 3] as number),
};

const options: fc.Arbitrary<Options> = fc.record({
  numberingsMax: fc.constantFrom(0, 1000),
  limitBytes: fc.constantFrom(100, 400, 100_000),
  maxPublications: fc.constantFrom(3, 6, 1000),
});

const often = ['publish', 'publish', 'turn', 'turn', 'stall', 'subscribe'];
const step = fc.tuple(fc.constantFrom(...Object.keys(steps), ...often), fc.nat(5));

test(
  'each publication to a user reaches one of the user’s devices, or a device is told that something is missing',
  async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { maxLength: 50, size: 'max' }), async (gateway, life) => {
        const world = await Life.begin(gateway);
        for (const [name, pick] of life) {
          await steps[name]?.(world, pick);
          // Promises settle before anything else happens, as in an event loop.
          await setImmediate();
          world.read();
        }
        await world.settle();
      }),
      {
        numRuns: runs,
      },
    );
  },
  180_000 + runs * 100,
);
