import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { View } from '../../src/fanout/view.ts';
import type { ViewOptions } from '../../src/fanout/view-options.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { patternMatches } from '../../src/topics/topic-name.ts';
import { codecs } from '../support/codecs.ts';
import { json } from '../topics/fixtures.ts';
import { batches, decodeBatch, makeWorld, offsetsOf, onlyRoom, ranges, type SentFrame } from './fixtures.ts';

const inRoom = (room: string): Partial<PublishFields> => ({ tags: { room } });
const seat = (room: string): Partial<PublishFields> => ({ key: 'seat', tags: { room } });

type Fields = Partial<PublishFields>;

/** What a view is sent of these, that went live after a first publication. */
async function sent(topic: string, options: Partial<ViewOptions>, first: Fields, ...publishes: Fields[]) {
  const { live, publish, turns, sink } = await makeWorld();
  await publish(topic, first);
  const view = live(topic, options);
  await publish(topic, ...publishes);
  turns.settle();
  turns.advance(1000);
  const frames = sink.of(view);
  return {
    frames,
    ranges: ranges(frames),
    offsets: frames.flatMap(offsetsOf),
    publications: frames.flatMap((frame) => [...decodeBatch(frame).publications]),
  };
}

describe('filters', () => {
  test('only what matches is sent, and the coverage has no holes', async () => {
    const rooms = ['1', '2', '1', '2'].map(inRoom);
    const { offsets, ...rest } = await sent('a', { filter: onlyRoom('1') }, {}, ...rooms);
    expect([rest.ranges, offsets]).toEqual(['1-5', [2, 4]]);
  });

  test('a view with nothing to say covers in silence, and says so after ten seconds', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    await publish('a');
    const view = live('a', { filter: onlyRoom('1') });
    await publish('a', inRoom('1'));
    turns.settle();
    await publish('a', inRoom('2'));
    turns.advance(9_990);
    expect(ranges(sink.of(view))).toEqual('1-2');
    turns.advance(100);
    expect(ranges(sink.of(view))).toEqual('1-2 2-3');
    expect(offsetsOf(sink.of(view)[1] as SentFrame)).toEqual([]);
    turns.advance(60_000);
    expect(sink.of(view)).toHaveLength(2);
  });

  test('a view says so before its unsent coverage exceeds half the ring', async () => {
    const { live, publish, turns, sink } = await makeWorld({ topic: { maxPublications: 20 } });
    await publish('a');
    const view = live('a', { filter: onlyRoom('1') });
    await publish('a', inRoom('1'));
    turns.settle();
    for (let i = 0; i < 10; i++) {
      turns.advance(6);
      await publish('a', inRoom('2'));
    }
    turns.advance(6);
    expect(ranges(sink.of(view))).toEqual('1-2');
    await publish('a', inRoom('2'));
    turns.advance(6);
    expect(ranges(sink.of(view))).toMatch(/ 2-13$/);
  });

  test('a match soon after much that did not match does not wait for the ten seconds', async () => {
    const { live, publish, turns, sink } = await makeWorld({ batch: { maxBytes: 2000 } });
    await publish('a');
    const view = live('a', { filter: onlyRoom('1') });
    await publish('a', inRoom('1'));
    turns.settle();
    turns.advance(1);
    await publish('a', { ...inRoom('2'), payload: json('x'.repeat(1500)) });
    turns.settle();
    turns.advance(1);
    await publish('a', inRoom('1'));
    turns.advance(6);
    expect(sink.of(view).map(offsetsOf)).toEqual([[2], [4]]);
  });

  test('in state mode the removal of a key is sent when its value stops matching', async () => {
    const [away, again] = [seat('2'), seat('2')];
    const { publications } = await sent('state', { filter: onlyRoom('1') }, seat('1'), away, again);
    expect(publications).toMatchObject([{ offset: 2, key: 'seat', removed: true }]);
  });

  test('nothing is sent of a key that never matched', async () => {
    const other = { ...seat('2'), key: 'other' };
    const third = { ...seat('3'), key: 'third' };
    const { offsets } = await sent('state', { filter: onlyRoom('1') }, other, seat('1'), other, third);
    expect(offsets).toEqual([2]);
  });

  test('a key that matches again after its removal is sent again', async () => {
    const { publications } = await sent('state', { filter: onlyRoom('1') }, {}, ...['1', '2', '1'].map(seat));
    expect(publications.map(({ offset, removed }) => [offset, removed === true])).toEqual([
      [2, false],
      [3, true],
      [4, false],
    ]);
  });

  test('a removal that a full turn puts off is sent in the next one', async () => {
    const { live, publish, turns, sink } = await makeWorld({ batch: { maxBytes: 1 } });
    await publish('state', ...Array.from({ length: 40 }, (_, i) => ({ key: `k${i}`, ...inRoom('1') })));
    const view = live('state', { filter: onlyRoom('1') });
    await publish('state', ...Array.from({ length: 40 }, (_, i) => ({ key: `k${i}`, ...inRoom('2') })));
    turns.settle();
    const removed = sink.of(view).flatMap((frame) => [...decodeBatch(frame).publications]);
    expect(removed.map(({ key }) => key)).toEqual(Array.from({ length: 40 }, (_, i) => `k${i}`));
    expect(removed.every((publication) => publication.removed === true)).toBe(true);
  });
});

describe('intervals and conflation', () => {
  test('a view gets at most one batch per interval, and the first one at once', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    await publish('a');
    const view = live('a', { intervalMs: 1000 });
    for (let i = 0; i < 50; i++) {
      await publish('a');
      turns.advance(97);
    }
    turns.advance(1000);
    const frames = sink.of(view);
    const gaps = frames.slice(1).map(({ atMs }, i) => atMs - (frames[i]?.atMs ?? 0));
    expect(frames[0]).toMatchObject({ after: 1, upto: 2 });
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(999);
    expect(frames).toHaveLength(6);
    expect(frames.flatMap(offsetsOf)).toEqual(Array.from({ length: 50 }, (_, i) => i + 2));
  });

  test.each<[string, string, Partial<ViewOptions>, Fields[], number[]]>([
    [
      'only the newest publication of each key in an interval, in state mode',
      ...(['state', { intervalMs: 100 }] as const),
      [{ key: 'a' }, { key: 'b' }, { key: 'a' }, {}, {}],
      [3, 4, 6],
    ],
    ['every change of a state without an interval', 'state', {}, [{ key: 'a' }, { key: 'a' }], [2, 3]],
    [
      'what has no key, of a stream that conflates',
      ...(['a', { conflate: true }] as const),
      [{ key: 'k' }, {}, { key: 'k' }, {}, { key: '' }],
      [3, 4, 5, 6],
    ],
    ['everything of a stream that does not', 'a', { intervalMs: 100 }, [{ key: 'k' }, { key: 'k' }], [2, 3]],
  ])('a view is sent %s', async (_, topic, options, publishes, wanted) => {
    const { offsets, ...rest } = await sent(topic, options, {}, ...publishes);
    expect([rest.ranges, offsets]).toEqual([`1-${publishes.length + 1}`, wanted]);
  });

  test.each([
    ['that expires sooner does not replace', undefined, 500, [2, 3]],
    ['that expires sooner does not replace, though both expire', 1000, 500, [2, 3]],
    ['that expires later replaces', 500, 1000, [3]],
    ['with the same TTL replaces', 500, 500, [3]],
  ])('in a stream that conflates, a newer publication %s an older one', async (_, older, newer, wanted) => {
    const publishes = [older, newer].map((ttlMs) => ({ key: 'k', ttlMs }));
    expect((await sent('a', { conflate: true }, {}, ...publishes)).offsets).toEqual(wanted);
  });
});

describe('conflation and receivers that differ', () => {
  const k = (more: object = {}) => ({ key: 'k', ...more });

  test.each<[string, object[], unknown[]]>([
    ['what only one session lacks', [k(), k({ except: 's' })], [['s', 0, 2, [2], [1]]]],
    [
      'nothing, when a newer one is for that session too',
      [k(), k({ except: 's' }), k()],
      [[undefined, 0, 3, [3], []]],
    ],
    ['nothing twice for it', [k(), k(), k({ except: 's' })], [['s', 0, 3, [3], [2]]]],
    ['nothing that excepts it as well', [k({ except: 's' }), k({ except: 's' })], [['s', 0, 2, [2], []]]],
    [
      'for each of two what that one lacks',
      [k(), k({ except: 's' }), k({ except: 't' })],
      [['t', 0, 3, [3], [2]]],
    ],
    [
      'other keys apart',
      [k(), { key: 'l' }, k({ except: 's' })],
      [
        ['s', 0, 1, [], [1]],
        [undefined, 1, 2, [2], []],
        ['s', 2, 3, [3], []],
      ],
    ],
  ])('sends %s', async (_, publishes, expected) => {
    const { frames } = await sent('a', { conflate: true }, {}, ...publishes);
    const seen = frames.map((frame) => [
      frame.except,
      frame.after - 1,
      frame.upto - 1,
      offsetsOf(frame).map((offset) => offset - 1),
      frame.instead === undefined ? [] : offsetsOf(frame.instead).map((offset) => offset - 1),
    ]);
    expect(seen).toEqual(expected);
    for (const { instead, after, upto } of frames)
      if (instead !== undefined) expect(decodeBatch(instead)).toMatchObject({ after, upto });
  });

  test.each([
    ['came and stopped matching: a new member may have it', {}, ['1', '2'], 3],
    ['stopped matching, however often it was replaced', seat('1'), ['2', '3', '4'], 4],
  ])('a value is removed that within an interval %s', async (_, first, rooms, offset) => {
    const options = { filter: onlyRoom('1'), intervalMs: 1000 };
    const { publications } = await sent('state', options, first, ...rooms.map(seat));
    expect(publications).toMatchObject([{ offset, key: 'seat', removed: true }]);
  });

  test('an excepted session keeps its older value of a state only until a value for all comes', async () => {
    const { frames } = await sent('state', { intervalMs: 50 }, {}, k(), k({ except: 's' }));
    const [frame] = frames;
    expect([frame?.except, frame && offsetsOf(frame)]).toEqual(['s', [3]]);
    expect(frame?.instead && offsetsOf(frame.instead)).toEqual([2]);
  });

  test('a frame of its own for one session counts among the frames of a turn', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    await publish('a');
    const view = live('a');
    await publish('a', ...Array.from({ length: 100 }, (_, i) => ({ except: `s${i}` })));
    turns.settle();
    const published = (turn: number) =>
      sink
        .of(view)
        .filter((frame) => frame.turn === turn)
        .reduce((sum, { instead }) => sum + (instead ? 2 : 1), 0);
    const turnsOf = new Set(sink.of(view).map(({ turn }) => turn));
    for (const turn of turnsOf) expect(published(turn)).toBeLessThanOrEqual(sink.framesMaxPerTurn);
    expect(sink.of(view).flatMap(offsetsOf)).toHaveLength(100);
  });
});

describe('coverage', () => {
  interface Step {
    readonly topic: string;
    readonly publishes: readonly Partial<PublishFields>[];
    readonly laterMs: number;
  }

  const publish: fc.Arbitrary<Partial<PublishFields>> = fc.record({
    key: fc.constantFrom(undefined, 'a', 'b'),
    tags: fc.constantFrom(undefined, { room: '1' }, { room: '2' }),
    except: fc.constantFrom(undefined, undefined, undefined, 's'),
    payload: fc.nat(400).map((size) => json('x'.repeat(size))),
    removed: fc.constantFrom(undefined, undefined, undefined, true),
  });
  const step: fc.Arbitrary<Step> = fc.record({
    topic: fc.constantFrom('p:1', 'p:2', 'state'),
    publishes: fc.array(publish, { minLength: 1, maxLength: 12 }),
    laterMs: fc.constantFrom(0, 0, 1, 3, 10, 60, 700),
  });

  const requested: readonly [string, Partial<ViewOptions>][] = [
    ['p:1', {}],
    ['p:1', { codec: codecs.json }],
    ['p:1', { filter: onlyRoom('1') }],
    ['p:2', { intervalMs: 100, conflate: true }],
    ['p:*', {}],
    ['*', { filter: onlyRoom('2'), intervalMs: 500 }],
    ['state', {}],
    ['state', { filter: onlyRoom('1'), intervalMs: 50 }],
  ];

  test('every view’s frames chain from 0 to the newest offset of each topic, with what the view is to get', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.boolean(),
        async (steps, inTurn) => {
          const world = await makeWorld({
            topic: { maxPublications: 15 },
            batch: { maxBytes: 1000 },
          });
          const views = requested.map(([target, more]) => world.live(target, more));
          for (const { topic, publishes, laterMs } of steps) {
            await world.publish(topic, ...publishes);
            if (inTurn) world.turns.turn();
            world.turns.advance(laterMs);
          }
          world.turns.advance(120_000);
          expect(Math.max(0, ...world.sink.perTurn())).toBeLessThanOrEqual(31);
          const published = new Map<string, Partial<PublishFields>[]>();
          for (const { topic, publishes } of steps) {
            published.set(topic, [...(published.get(topic) ?? []), ...publishes]);
          }
          for (const view of views) checkView(view, batches(world.sink.of(view)), published);
        },
      ),
      { numRuns: 60 },
    );
  });

  function checkView(
    view: View,
    frames: readonly SentFrame[],
    published: ReadonlyMap<string, readonly Partial<PublishFields>[]>,
  ): void {
    const { target, filter, intervalMs, conflate } = view.options;
    for (const [topic, publishes] of published) {
      const mine = frames.filter(({ feed }) => feed?.topic.name === topic);
      const isHeard = view.isPattern ? patternMatches(target, topic) : target === topic;
      if (!isHeard) {
        expect(mine).toEqual([]);
        continue;
      }
      let upto = 0;
      const got: number[] = [];
      for (const frame of mine) {
        const batch = decodeBatch(frame);
        expect([frame.after, batch.after, batch.upto]).toEqual([upto, upto, frame.upto]);
        const offsets = batch.publications.map(({ offset }) => offset);
        expect(offsets.every((offset) => offset > frame.after && offset <= frame.upto)).toBe(true);
        got.push(...offsets);
        upto = frame.upto;
      }
      expect(upto).toBe(publishes.length);
      expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
      const matching = publishes.flatMap(({ tags }, i) => (filter?.matches(tags) === false ? [] : [i + 1]));
      const conflates = conflate || (topic === 'state' && intervalMs > 0);
      if (!conflates && topic !== 'state') expect(got).toEqual(matching);
      if (!conflates && topic === 'state') expect(got).toEqual(expect.arrayContaining(matching));
      // Whatever is conflated, the newest value of each key arrives.
      const newest = new Map(publishes.map(({ key }, i) => [key ?? '', i + 1]));
      const wanted = [...newest.values()].filter((offset) => matching.includes(offset));
      expect(got).toEqual(expect.arrayContaining(wanted));
    }
  }
});
