import { describe, expect, test } from 'vitest';
import { codecs } from '../../src/protocol/codecs.ts';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { json } from '../topics/fixtures.ts';
import { Listener, makeWorld, onlyRoom, viewOptions } from './fixtures.ts';

type Snapshot = Extract<ServerFrame, { kind: 'snapshot' }>;

const everyMs = 10_000;

async function refreshing(onlyChanged = false) {
  const world = await makeWorld({
    topic: { mode: 'state' },
    fanout: { refresh: () => ({ everyMs, onlyChanged }) },
  });
  /** As the gateway does it, once a second. */
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1000) {
      world.turns.advance(1000);
      world.fanout.sweep();
      world.turns.settle();
    }
  };
  return { ...world, pass };
}

const snapshotsOf = (listener: Listener): Snapshot[] =>
  listener.frames.filter((frame): frame is Snapshot => frame.kind === 'snapshot');
const keysOf = (snapshots: readonly Snapshot[]) =>
  snapshots.map(({ publications }) => publications.map(({ key }) => key));

describe('a state topic that is sent again', () => {
  test('goes whole to its subscribers after each interval, and changes go at once', async () => {
    const { live, publish, turns, sink, pass } = await refreshing();
    const listener = new Listener(sink, live('a'));
    await publish('a', { key: 'x' }, { key: 'y' });
    pass(1000);
    expect(listener.offsets).toEqual([1, 2]);
    pass(everyMs - 1000);
    expect(snapshotsOf(listener)).toEqual([]);
    pass(1000);
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
    expect(snapshotsOf(listener)).toHaveLength(0);
    await publish('a', { key: 'x' });
    pass(4 * everyMs);
    expect(snapshotsOf(listener)).toHaveLength(1);
  });

  test('is made once per view, with its filter; patterns get each of their topics, also quiet ones', async () => {
    const { live, publish, sink, pass } = await refreshing();
    await publish('a:1', { key: 'x', tags: { room: 'r' } }, { key: 'y' });
    await publish('a:2', { key: 'z' });
    const exact = new Listener(sink, live('a:1', { filter: onlyRoom('r') }));
    const pattern = new Listener(sink, live('a:*'));
    pass(everyMs + 1000);
    expect(keysOf(snapshotsOf(exact))).toEqual([['x']]);
    expect(snapshotsOf(pattern).map(({ topic }) => topic)).toEqual(['a:1', 'a:2']);
  });

  test('comes in pages with nothing between them', async () => {
    const { live, publish, sink, pass } = await refreshing();
    const listener = new Listener(sink, live('a'));
    const large = Array.from({ length: 200 }, (_, i) => ({
      key: `k${i}`,
      payload: json('x'.repeat(50_000)),
    }));
    await publish('a', ...large);
    pass(everyMs + 1000);
    const pages = snapshotsOf(listener);
    expect(pages.length).toBeGreaterThan(31);
    const begin = listener.frames.indexOf(pages[0] as Snapshot);
    expect(listener.frames.slice(begin, begin + pages.length)).toEqual(pages);
    expect(pages.filter(({ first }) => first)).toEqual([pages[0]]);
    expect(pages.filter(({ last }) => last)).toEqual([pages.at(-1)]);
    expect(keysOf(pages).flat()).toHaveLength(200);
  });

  test('costs nothing without subscribers', async () => {
    const { view, publish, sink, pass } = await refreshing();
    view('a');
    await publish('a', { key: 'x' });
    pass(3 * everyMs);
    expect(sink.frames).toEqual([]);
  });

  test('a stream is not sent again', async () => {
    const world = await makeWorld({ fanout: { refresh: () => ({ everyMs, onlyChanged: false }) } });
    const listener = new Listener(world.sink, world.live('a'));
    await world.publish('a');
    world.turns.advance(2 * everyMs);
    for (let i = 0; i < 3; i++) world.fanout.sweep();
    world.turns.settle();
    expect([listener.offsets, snapshotsOf(listener)]).toEqual([[1], []]);
  });

  test('a thousand topics that are due at once follow one another', async () => {
    const { fanout, live, publish, turns, sink, pass } = await refreshing();
    for (let i = 0; i < 1000; i++) await publish(`a:${i}`, { key: 'x' });
    const listener = new Listener(sink, live('a:*', viewOptions('a:*', { codec: codecs.protobuf })));
    pass(everyMs);
    turns.advance(1000);
    fanout.sweep();
    turns.turn();
    expect(snapshotsOf(listener).length).toBeLessThanOrEqual(64);
    turns.advance(1000);
    expect(new Set(snapshotsOf(listener).map(({ topic }) => topic)).size).toBe(1000);
    expect(Math.max(...sink.perTurn())).toBeLessThanOrEqual(31);
  });
});

describe('a batch of at most so many publications', () => {
  test.each([
    [9, [9]],
    [10, [10]],
    [11, [10, 1]],
    [25, [10, 10, 5]],
  ])('%i go out as %j, and cover all', async (count, sizes) => {
    const { live, publish, turns, sink } = await makeWorld({
      fanout: { batch: () => ({ maxDelayMs: 100, maxBytes: 65_536, maxPublications: 10 }) },
    });
    const listener = new Listener(sink, live('a'));
    await publish('a', ...Array.from({ length: count }, () => ({})));
    turns.settle();
    expect(listener.batches.map(({ publications }) => publications.length)).toEqual(sizes);
    expect(listener.batches.map(({ after }) => after)).toEqual(sizes.map((_, i) => 10 * i));
    expect(listener.batches.at(-1)?.upto).toBe(count);
  });
});
