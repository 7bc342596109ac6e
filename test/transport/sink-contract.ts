import { describe, expect, test, vi } from 'vitest';
import type { CloseCode } from '../../src/errors.ts';
import type { Sink } from '../../src/fanout/sink.ts';
import type { ClientFrame } from '../../src/protocol/client-frames.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import type { ServerFrame, ServerKind } from '../../src/protocol/server-frames.ts';
import type { Session } from '../../src/sessions/session.ts';
import { decode, eagerCompression } from '../fanout/fixtures.ts';
import { type GatewayOptions, makeGateway } from '../sessions/fixtures.ts';
import type { Codec } from '../support/codecs.ts';
import { codecs } from '../support/codecs.ts';
import { Expander } from '../support/expander.ts';
import { upTo } from '../support/numbers.ts';
import { opened } from '../support/opened.ts';
import { json } from '../topics/fixtures.ts';

export type Gateway = Awaited<ReturnType<typeof makeGateway>>;

/** The far end of a connection. */
export interface Far {
  readonly session: Session;
  /** What has arrived. */
  readonly messages: readonly Uint8Array[];
  /** How the gateway ended it, as the far end sees it. */
  readonly ended: CloseCode | 'terminated' | undefined;
  /** Reads nothing until `resume`. */
  pause(): void;
  resume(): void;
}

/** A transport under test: between a gateway whose event loop the suite turns, and clients. */
export interface Transport {
  readonly sink: Sink;
  connect(codec: Codec): Promise<Far>;
  close(): void;
}

export interface ContractOptions {
  readonly name: string;
  open(gateway: Gateway, backpressureMaxBytes: number): Promise<Transport>;
  readonly backpressureMaxBytes: number;
  /** So many bytes that a far end does not read overflow all buffers on the way. */
  readonly overflowBytes: number;
  /** The formats that its connections have; the first is the usual one. */
  readonly formats?: readonly [Codec, ...Codec[]];
}

/** One turn of the real event loop: what was written arrives. */
const loopTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** What every sink and its connections promise to the fan-out and to sessions. */
export function sinkContract({
  name,
  open,
  backpressureMaxBytes,
  overflowBytes,
  formats = [codecs.protobuf, codecs.json],
}: ContractOptions): void {
  const [usual] = formats;
  async function start(options: GatewayOptions = {}) {
    const gateway = await makeGateway({ backpressureMaxBytes, ...options });
    const transport = await opened(open(gateway, backpressureMaxBytes));
    const settle = async () => {
      await gateway.settle();
      await loopTurn();
    };
    const until = async (condition: () => boolean) => {
      for (let turns = 0; !condition(); turns++) {
        if (turns > 20_000) throw new Error(`not within 20 000 turns: ${condition}`);
        await settle();
      }
    };
    const connect = async (codec: Codec = usual, topics: readonly string[] = ['t']) => {
      const far = await transport.connect(codec);
      const command = (frame: ClientFrame) =>
        gateway.sessions.receive(far.session, codec.encodeClientFrame(frame), codec.binary);
      const frames = () => {
        const expander = new Expander();
        return far.messages.map((message) => expander.take(decode(codec, message)));
      };
      const of = <K extends ServerKind>(kind: K) =>
        frames().filter((frame): frame is Extract<ServerFrame, { kind: K }> => frame.kind === kind);
      const offsets = () => of('batch').flatMap((batch) => batch.publications.map(({ offset }) => offset));
      command({ kind: 'connect', id: 1, capabilities: ['dictionary'] });
      command({ kind: 'subscribe', id: 2, subscriptions: topics.map((topic) => ({ topic })) });
      await until(() => of('subscribed').some(({ id }) => id === 2));
      return { far, command, frames, of, offsets };
    };
    /** In one turn. */
    const publish = async (topic: string, ...publishes: Partial<PublishFields>[]) => {
      await gateway.publish(topic, ...publishes);
      await settle();
      gateway.turns.advance(20);
    };
    const publishEach = async (count: number, bytes = 10) => {
      for (let i = 0; i < count; i++) {
        await publish('t', { payload: json('x'.repeat(bytes)) });
      }
    };
    return { ...gateway, transport, connect, publish, publishEach, until, settle };
  }

  const isBatch = (bytes: Uint8Array) => decode(usual, bytes).kind === 'batch';

  /** Publishes to a client that does not read until it has lost a frame. Returns how many it published. */
  async function overflow(world: Awaited<ReturnType<typeof start>>): Promise<number> {
    const bytes = 50_000;
    const count = Math.ceil(overflowBytes / bytes);
    await world.publishEach(count, bytes);
    await world.until(() => world.counts.of('dropsTotal') > 0);
    return count;
  }

  describe(`delivery by ${name}`, () => {
    test('each member gets the frames of its views in the order in which they were published', async () => {
      const { connect, publish, until } = await start();
      const members = [await connect(usual, ['a', 'b']), await connect(usual, ['b', 'a'])];
      for (let i = 0; i < 20; i++) await publish(i % 2 === 0 ? 'a' : 'b', { payload: json(i) });
      const payloads = ({ of }: (typeof members)[0]) =>
        of('batch').flatMap(({ publications }) =>
          publications.map(({ payload }) => Number(Buffer.from(payload.bytes).toString())),
        );
      await until(() => members.every((member) => payloads(member).length === 20));
      expect(members.map(payloads)).toEqual(Array(2).fill(upTo(20).map((i) => i - 1)));
    });

    test('members of a view get the same bytes, and what was sent is counted as what arrives', async () => {
      const { connect, publishEach, until, counts } = await start();
      const members = [await connect(), await connect(), await connect()];
      await publishEach(5);
      await until(() => members.every(({ offsets }) => offsets().length === 5));
      const heard = members.map(({ far }) => far.messages.filter((bytes) => isBatch(bytes)));
      expect(heard.map((messages) => messages.map((each) => Buffer.from(each).toString('hex')))).toEqual(
        Array(3).fill(heard[0]!.map((each) => Buffer.from(each).toString('hex'))),
      );
      const all = members.flatMap(({ far }) => far.messages);
      expect(counts.of('deliveriesTotal')).toBe(15);
      expect(counts.of('sentBytesTotal')).toBe(all.reduce((sum, { length }) => sum + length, 0));
    });

    test('no turn publishes more frames than the sink takes, and the next turns publish the rest', async () => {
      const { connect, broker, transport, until, turns } = await start({ subscriptionsPerSession: 1000 });
      const { sink } = transport;
      const topics = upTo(3 * sink.framesMaxPerTurn).map((i) => `t:${i}`);
      const member = await connect(usual, topics);
      const publishAll = () =>
        broker.publish(topics.map((topic) => publishOf({ topic, type: 'e', payload: json(1) })));
      await publishAll();
      await until(() => member.offsets().length === topics.length);
      turns.advance(20);
      const perTurn: number[] = [];
      const publish = sink.publish.bind(sink);
      vi.spyOn(sink, 'beginTurn');
      vi.spyOn(sink, 'publish').mockImplementation((frame, members) => {
        const turn = vi.mocked(sink.beginTurn).mock.calls.length;
        perTurn[turn] = (perTurn[turn] ?? 0) + 1;
        publish(frame, members);
      });
      await publishAll();
      await until(() => member.offsets().length === 2 * topics.length);
      expect(perTurn.filter((frames) => frames > 0)).toEqual(Array(3).fill(sink.framesMaxPerTurn));
    });

    test('a member that joins later gets what was published since it subscribed, once', async () => {
      const { connect, publishEach, until } = await start();
      const early = await connect();
      await publishEach(3);
      const late = await connect();
      await publishEach(3);
      await until(() => early.offsets().length === 6 && late.offsets().length === 3);
      expect([early.offsets(), late.offsets()]).toEqual([upTo(6), [4, 5, 6]]);
    });

    test.each(formats.map((codec) => ({ codec, name: codec.name })))(
      'a $name member that joins a pattern while a flush is due loses nothing of that flush, and gets it once unless it compares offsets',
      async ({ codec }) => {
        const { broker, connect, publishEach, until, turns } = await start();
        const publishNow = () => broker.publish([publishOf({ topic: 't', type: 'e', payload: json(1) })]);
        const early = await connect(codec, ['t*']);
        // The first goes out at once, the next ones together after a delay.
        await publishNow();
        await until(() => early.offsets().length === 1);
        await publishNow();
        const late = await connect(codec, ['t*']);
        await publishNow();
        turns.advance(20);
        await until(() => early.offsets().length === 3 && late.offsets().includes(3));
        await publishEach(1);
        await until(() => late.offsets().includes(4));
        const repeats = codec.comparesOffsets === true ? [2] : [];
        expect([early.offsets(), late.offsets()]).toEqual([upTo(4), [...repeats, 3, 4]]);
        expect(late.far.session.views.state).toBe('live');
        late.command({ kind: 'status', id: 3 });
        await until(() => late.of('status').length === 1);
        expect(late.of('status')[0]?.messageCount).toBe(late.frames().length - 1);
      },
    );

    test.each(formats.flatMap((codec) => [true, false].map((isDue) => ({ codec, name: codec.name, isDue }))))(
      'a $name member that goes on in a view that is not so far gets what it had again only if it compares offsets (flush before the next publication: $isDue)',
      async ({ codec, isDue }) => {
        const { connect, publishEach, subscriber, until, settle, turns } = await start();
        const slow = { topic: 't', intervalMs: 1000 };
        const early = await connect(codec, ['other']);
        early.command({ kind: 'subscribe', id: 3, subscriptions: [slow] });
        const late = await connect(codec);
        await publishEach(3);
        await until(() => late.offsets().length === 3);
        const { session } = late.far;
        const replacing = [{ ...slow, replaces: true }];
        const prepared = await subscriber.prepare(session, replacing);
        await subscriber.subscribe(session, replacing, prepared);
        session.views.resume();
        await settle();
        if (isDue) turns.advance(1000);
        await publishEach(1);
        turns.advance(1000);
        const had = codec.comparesOffsets === true ? [2, 3] : [];
        await until(() => early.offsets().length === 4 && late.offsets().includes(4));
        expect([early.offsets(), late.offsets()]).toEqual([upTo(4), [1, 2, 3, ...had, 4]]);
      },
    );

    test('a member that left gets nothing more, and the others do', async () => {
      const { connect, publishEach, until } = await start();
      const [stays, leaves] = [await connect(), await connect()];
      await publishEach(2);
      leaves.command({ kind: 'unsubscribe', id: 3, topics: ['t'] });
      await until(() => leaves.of('unsubscribed').length === 1);
      await publishEach(2);
      await until(() => stays.offsets().length === 4);
      expect(leaves.offsets()).toEqual([1, 2]);
    });

    test('a session that is excepted gets the coverage instead, in order, and the others the publication', async () => {
      const { connect, publish, until, counts } = await start();
      const [mine, other] = [await connect(), await connect()];
      await publish('t', {}, { except: mine.far.session.id }, {});
      await until(() => other.offsets().length === 3 && mine.offsets().length === 2);
      const covered = ({ of }: typeof mine) => of('batch').map(({ after, upto }) => [after, upto]);
      expect(mine.offsets()).toEqual([1, 3]);
      expect(covered(mine)).toEqual(covered(other));
      expect(counts.of('deliveriesTotal')).toBe(5);
    });

    test('each connection gets its own format, compressed for those that can inflate it', async () => {
      const { connect, publish, until } = await start(eagerCompression);
      const members: Awaited<ReturnType<typeof connect>>[] = [];
      for (const codec of formats) members.push(await connect(codec));
      for (let load = 0; load < 30; load++)
        await publish('t', { payload: json({ metricsHost: 'web-01', load }) });
      await until(() => members.every(({ offsets }) => offsets().length === 30));
      expect(members.map(({ offsets }) => offsets())).toEqual(formats.map(() => upTo(30)));
      const isCompressed = ({ of }: (typeof members)[0]) =>
        of('batch').some(({ compressed }) => compressed !== undefined);
      const inflates = formats.map((codec) => codec === codecs.protobuf);
      expect(members.map(isCompressed)).toEqual(inflates);
      expect(members.map(({ of }) => of('dictionary').length > 0)).toEqual(inflates);
    });

    test('members end with a code, or are terminated, and no frame goes to them any more', async () => {
      const { connect, publishEach, until, counts } = await start();
      const members = [await connect(), await connect(), await connect()];
      await publishEach(1);
      await until(() => members.every(({ offsets }) => offsets().length === 1));
      const [ends, terminated, stays] = members.map(({ far }) => far);
      ends!.session.end('going_away');
      terminated!.session.terminate();
      await until(() => ends!.ended !== undefined && terminated!.ended !== undefined);
      expect([ends!.ended, terminated!.ended, stays!.ended]).toEqual(['going_away', 'terminated', undefined]);
      expect([ends!.session.isClosed, terminated!.session.isClosed]).toEqual([true, true]);
      await publishEach(1);
      await until(() => members[2]!.offsets().length === 2);
      expect(counts.of('deliveriesTotal')).toBe(4);
    });
  });

  describe(`lagging by ${name}`, () => {
    test('a client that has lost a frame can be told so before the next turn', async () => {
      const world = await start({ topic: { maxPublications: 100_000, maxBytes: 1e9 } });
      const slow = await world.connect();
      slow.far.pause();
      const { views } = slow.far.session;
      for (let published = 0; views.state === 'live'; published += 50_000) {
        expect(published).toBeLessThan(2 * overflowBytes);
        world.turns.advance(20);
        await world.broker.publish([publishOf({ topic: 't', type: 'e', payload: json('x'.repeat(50_000)) })]);
        world.turns.turn();
        await loopTurn();
        expect(views.state).toBe('live');
        world.fanout.tellDrops();
      }
      expect(views.state).toBe('lagging');
    });

    test('a slow client lags, is caught up when it reads again, and is live again without loss or repeat', async () => {
      const world = await start({ topic: { maxPublications: 100_000, maxBytes: 1e9 } });
      const [slow, quick] = [await world.connect(), await world.connect()];
      slow.far.pause();
      const count = await overflow(world);
      expect(slow.far.session.views.state).toBe('lagging');
      await world.until(() => quick.offsets().length === count);
      expect(quick.far.session.views.state).toBe('live');
      slow.far.resume();
      await world.until(() => slow.far.session.views.state === 'live');
      await world.publishEach(3);
      await world.until(() => slow.offsets().length >= count + 3);
      expect(slow.offsets()).toEqual(upTo(count + 3));
      // Once told, it is not told again before it has been caught up. A socket that drains slowly may lag anew.
      const kinds = slow.frames().map(({ kind }) => kind);
      const told = kinds.filter((kind) => kind === 'lagging' || kind === 'caughtUp').join(' ');
      expect(told).toMatch(/^(lagging( caughtUp)+ ?)+$/);
    });

    test('what was dropped is not counted as delivered, and what is caught up is', async () => {
      const world = await start({ topic: { maxPublications: 100_000, maxBytes: 1e9 } });
      const slow = await world.connect();
      slow.far.pause();
      const count = await overflow(world);
      expect(world.counts.of('deliveriesTotal')).toBeLessThan(count);
      slow.far.resume();
      await world.until(() => slow.offsets().length === count);
      expect(world.counts.of('deliveriesTotal')).toBe(count);
    });

    test('a slow client that is terminated has had what arrived, and is not told of drops any more', async () => {
      const world = await start({ topic: { maxPublications: 100_000, maxBytes: 1e9 } });
      const [slow, quick] = [await world.connect(), await world.connect()];
      slow.far.pause();
      const count = await overflow(world);
      slow.far.session.terminate();
      await world.until(() => slow.far.session.isClosed);
      await world.publishEach(2);
      await world.until(() => quick.offsets().length === count + 2);
      expect(slow.far.session.views.state).toBe('ended');
      expect(world.counts.of('deliveriesTotal')).toBeLessThan(2 * count + 2);
      expect(world.counts.of('deliveriesTotal')).toBeGreaterThanOrEqual(count + 2);
    });
  });
}
