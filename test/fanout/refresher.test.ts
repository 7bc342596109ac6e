import { describe, expect, test } from 'vitest';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { codecs } from '../support/codecs.ts';
import { json } from '../topics/fixtures.ts';
import { countingCodec, decode, Listener, makeWorld, noRefresh, onlyRoom } from './fixtures.ts';

type Snapshot = Extract<ServerFrame, { kind: 'snapshot' }>;

const everyMs = 10_000;

async function refreshing(onlyChanged = false) {
  const plans = [{ everyMs, onlyChanged, includes: () => true }];
  const world = await makeWorld({
    topic: { mode: 'state' },
    fanout: { refresh: { ...noRefresh, plans, pageBytes: 50_000 } },
  });
  return { ...world, pass: (ms: number) => world.turns.advance(ms) };
}

/** Values that fill a page each. */
const large = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, payload: json('x'.repeat(50_000)) }));

const snapshotsOf = (listener: Listener): Snapshot[] =>
  listener.frames.filter((frame): frame is Snapshot => frame.kind === 'snapshot');
const keysOf = (snapshots: readonly Snapshot[]) =>
  snapshots.map(({ publications }) => publications.map(({ key }) => key));

describe('a state topic that is sent again', () => {
  test('goes whole to its subscribers after each interval, and changes go at once', async () => {
    const { live, publish, turns, sink, pass } = await refreshing();
    const listener = new Listener(sink, live('a'));
    await publish('a', { key: 'x' }, { key: 'y' });
    turns.settle();
    expect(listener.offsets).toEqual([1, 2]);
    pass(everyMs - 1);
    expect(snapshotsOf(listener)).toEqual([]);
    pass(1);
    await publish('a', { key: 'x' });
    turns.settle();
    pass(everyMs);
    expect(keysOf(snapshotsOf(listener))).toEqual([
      ['x', 'y'],
      ['y', 'x'],
    ]);
    expect(snapshotsOf(listener).map(({ offset, first, last }) => [offset, first, last])).toEqual([
      [2, true, true],
      [3, true, true],
    ]);
    expect(listener.offsets).toEqual([1, 2, 3]);
  });

  test('is skipped where nothing changed, if asked so', async () => {
    const { live, publish, sink, pass } = await refreshing(true);
    const listener = new Listener(sink, live('a'));
    await publish('a', { key: 'x' });
    pass(4 * everyMs);
    expect(snapshotsOf(listener)).toHaveLength(1);
    await publish('b', { key: 'x' });
    pass(4 * everyMs);
    expect(snapshotsOf(listener)).toHaveLength(1);
  });

  test('is made once per view, with its filter; patterns get each of their topics, also quiet ones', async () => {
    const { live, publish, sink, pass } = await refreshing();
    await publish('a:1', { key: 'x', tags: { room: 'r' } }, { key: 'y' });
    await publish('a:2', { key: 'z' });
    const exact = new Listener(sink, live('a:1', { filter: onlyRoom('r') }));
    const pattern = new Listener(sink, live('a:*'));
    pass(everyMs);
    expect(keysOf(snapshotsOf(exact))).toEqual([['x']]);
    expect(snapshotsOf(pattern).map(({ topic }) => topic)).toEqual(['a:1', 'a:2']);
  });

  test('holds back what is published between its pages, until the last', async () => {
    const { live, publish, turns, sink } = await refreshing();
    const listener = new Listener(sink, live('a'));
    await publish('a', ...large(3));
    turns.settle();
    const before = listener.frames.length;
    turns.elapse(everyMs);
    turns.turn();
    await publish('a', { key: 'k0' });
    turns.settle();
    const frames = listener.frames.slice(before);
    expect(frames.map(({ kind }) => kind)).toEqual(['snapshot', 'snapshot', 'snapshot', 'batch']);
    expect(snapshotsOf(listener).map(({ first, last, offset }) => [first, last, offset])).toEqual([
      [true, false, 3],
      [false, false, 3],
      [false, true, 3],
    ]);
    expect(listener.offsets.at(-1)).toBe(4);
  });

  test.each([
    ['json', ['batch', 'snapshot']],
    ['protobuf', ['snapshot', 'batch']],
  ] as const)(
    'comes after what waits for a flush, where a client compares no offsets: %s',
    async (name, kinds) => {
      const { fanout, live, publish, turns, sink } = await refreshing();
      const view = live('a', { codec: codecs[name] });
      fanout.addMember(view, sink.member);
      await publish('a', { key: 'x' });
      turns.settle();
      turns.elapse(everyMs);
      const before = sink.of(view).length;
      await publish('a', { key: 'x' });
      turns.turn();
      const frames = sink.of(view).map(({ bytes }) => decode(codecs[name], bytes));
      expect(frames.slice(before)).toMatchObject(
        kinds.map((kind) => ({ kind, publications: [{ offset: 2 }] })),
      );
    },
  );

  test('begins again when a member comes between its pages, a few times', async () => {
    const { fanout, live, publish, turns, sink } = await refreshing();
    const view = live('a');
    const listener = new Listener(sink, view);
    await publish('a', ...large(3));
    turns.settle();
    turns.elapse(everyMs);
    for (let comers = 0; comers < 5; comers++) {
      turns.turn();
      fanout.addMember(view, sink.member);
    }
    turns.settle();
    const begun = snapshotsOf(listener).filter(({ first }) => first);
    expect([begun.length, snapshotsOf(listener).some(({ last }) => last)]).toEqual([3, false]);
    turns.advance(everyMs);
    expect(
      snapshotsOf(listener)
        .slice(-3)
        .map(({ last }) => last),
    ).toEqual([false, false, true]);
  });

  test('is dropped where the topic begins anew or everybody has left', async () => {
    const { broker, fanout, live, publish, turns, sink } = await refreshing();
    const view = live('a');
    const listener = new Listener(sink, view);
    await publish('a', ...large(3));
    turns.settle();
    turns.elapse(everyMs);
    turns.turn();
    broker.reset('a', 'anew', 3);
    turns.settle();
    expect(snapshotsOf(listener)).toHaveLength(1);
    await publish('b', ...large(3));
    const other = live('b');
    turns.settle();
    turns.elapse(everyMs);
    turns.turn();
    turns.turn();
    fanout.removeMember(other, sink.member);
    turns.settle();
    expect(turns.asked).toBe(0);
  });

  test('gives an excepted session its snapshot without what it is excepted from', async () => {
    const { live, publish, sink, pass } = await refreshing();
    const view = live('a');
    const [me, you] = ['me', 'you'].map((id) => {
      const keys: (string | undefined)[] = [];
      const receive = (bytes: Uint8Array) => {
        const frame = decode(view.options.codec, bytes);
        if (frame.kind === 'snapshot') keys.push(...frame.publications.map(({ key }) => key));
      };
      sink.channels.set(view.channel, (sink.channels.get(view.channel) ?? new Set()).add({ id, receive }));
      return keys;
    });
    await publish('a', { key: 'x', except: 'me' }, { key: 'y' }, { key: 'z', except: 'you' });
    pass(everyMs);
    expect([me, you]).toEqual([
      ['y', 'z'],
      ['y', 'x'],
    ]);
  });

  test('is encoded once, and framed once per view', async () => {
    const { codec, counts } = countingCodec('protobuf');
    const { fanout, publish, pass, live, sink } = await refreshing();
    const [one, other] = [live('a', { codec }), live('b', { codec })];
    for (let members = 0; members < 10; members++) fanout.addMember(one, sink.member);
    await publish('a', { key: 'x' });
    pass(everyMs - 1);
    const encoded = counts.get('encodePublication');
    pass(1);
    expect(counts.get('encodePublication')).toBe(encoded);
    expect(sink.of(one).map(({ bytes }) => decode(codec, bytes).kind)).toEqual([
      'reset',
      'batch',
      'snapshot',
    ]);
    expect(sink.of(other)).toHaveLength(0);
  });

  test('costs nothing without subscribers', async () => {
    const { view, publish, sink, turns, pass } = await refreshing();
    view('a');
    await publish('a', { key: 'x' });
    pass(3 * everyMs);
    expect([sink.frames, turns.timers]).toEqual([[], 0]);
  });

  test('a stream is not sent again', async () => {
    const plans = [{ everyMs, onlyChanged: false, includes: () => true }];
    const world = await makeWorld({ fanout: { refresh: { ...noRefresh, plans } } });
    const listener = new Listener(world.sink, world.live('a'));
    await world.publish('a');
    world.turns.advance(2 * everyMs);
    expect([listener.offsets, snapshotsOf(listener)]).toEqual([[1], []]);
  });

  test.each([
    [true, 8],
    [false, 1],
  ])('a thousand topics follow one another; a turn that is free: %s, takes %i', async (isFree, perTurn) => {
    const charged: number[] = [];
    const plans = [{ everyMs, onlyChanged: false, includes: () => true }];
    const budget = { isFree, charge: (ms: number) => void charged.push(ms) };
    const { live, publish, turns, sink } = await makeWorld({
      topic: { mode: 'state' },
      fanout: { refresh: { plans, pageBytes: 1000, budget } },
    });
    for (let i = 0; i < 1000; i++) await publish(`a:${i}`, { key: 'x' });
    const listener = new Listener(sink, live('a:*'));
    turns.advance(everyMs);
    expect(new Set(snapshotsOf(listener).map(({ topic }) => topic)).size).toBe(1000);
    expect(Math.max(...sink.perTurn())).toBe(perTurn);
    expect(charged.length).toBeGreaterThanOrEqual(1000);
  });
});

describe('the most publications of a batch', () => {
  test.each([
    [9, [9]],
    [10, [10]],
    [11, [10, 1]],
    [25, [10, 10, 5]],
  ])('%i go out as %j, and cover all', async (count, sizes) => {
    const { live, publish, turns, sink } = await makeWorld({
      batch: { maxDelayMs: 100, maxPublications: 10 },
    });
    const listener = new Listener(sink, live('a'));
    await publish('a', ...Array.from({ length: count }, () => ({})));
    turns.settle();
    expect(listener.batches.map(({ publications }) => publications.length)).toEqual(sizes);
    expect(listener.batches.map(({ after }) => after)).toEqual(sizes.map((_, i) => 10 * i));
    expect(listener.batches.at(-1)?.upto).toBe(count);
  });
});
