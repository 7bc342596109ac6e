import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { View } from '../../src/fanout/view.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import { collectGarbage } from '../support/memory.ts';
import { json } from '../topics/fixtures.ts';
import {
  batches,
  decode,
  decodeBatch,
  eagerCompression,
  makeWorld,
  offsetsOf,
  onlyRoom,
  ranges,
  type SentFrame,
  topicOf,
} from './fixtures.ts';

function kinds(frames: readonly SentFrame[]): string[] {
  return frames.map(({ view, bytes }) => decode(view.options.codec, bytes).kind);
}

const many = (count: number, more: Partial<PublishFields> = {}) => Array.from({ length: count }, () => more);

describe('flushing', () => {
  test('a publication on an idle topic goes out at the end of the turn, all of one turn together', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    const view = live('a');
    await publish('a');
    await publish('a');
    expect(sink.frames).toEqual([]);
    turns.turn();
    expect(ranges(batches(sink.of(view)))).toEqual('0-2');
  });

  test('a busy topic collects until the delay is over', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    const view = live('a');
    await publish('a');
    turns.settle();
    const startMs = turns.nowMs();
    for (let i = 0; i < 3; i++) {
      turns.advance(1);
      await publish('a');
    }
    turns.advance(2);
    expect(ranges(batches(sink.of(view)))).toEqual('0-1');
    turns.advance(10);
    const frames = batches(sink.of(view));
    expect(ranges(frames)).toEqual('0-1 1-4');
    expect((frames[1]?.atMs ?? 0) - startMs).toBe(6);
  });

  test('a topic that was quiet for the delay is idle again', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    const view = live('a');
    await publish('a');
    turns.advance(5);
    await publish('a');
    turns.turn();
    expect(ranges(batches(sink.of(view)))).toEqual('0-1 1-2');
  });

  test('a busy topic does not wait once it has enough for a batch', async () => {
    const { live, publish, turns, sink } = await makeWorld({ batch: { maxDelayMs: 50, maxBytes: 2000 } });
    const view = live('a');
    await publish('a');
    turns.settle();
    await publish('a', { payload: json('x'.repeat(2000)) });
    turns.settle();
    expect(ranges(batches(sink.of(view)))).toEqual('0-1 1-2');
  });

  test.each([
    [1, '0-1'],
    [2, '0-1 1-3'],
    [3, '0-1 1-3 3-4'],
  ])('a busy topic with %i publications, of at most 2 a batch, has sent at once %s', async (count, sent) => {
    const { live, publish, turns, sink } = await makeWorld({ batch: { maxDelayMs: 50, maxPublications: 2 } });
    const view = live('a');
    await publish('a');
    turns.settle();
    await publish('a', ...many(count));
    turns.settle();
    expect(ranges(batches(sink.of(view)))).toEqual(sent);
    turns.advance(50);
    expect(batches(sink.of(view)).at(-1)?.upto).toBe(1 + count);
  });

  test.each([
    [0, false],
    [50, true],
  ])('a log for an interval of %i ms keeps no body of a request: %s', async (intervalMs, detaches) => {
    const detach = vi.spyOn(StoredPublication.prototype, 'detach');
    const { live, publish } = await makeWorld();
    live('a', { intervalMs });
    await publish('a', {});
    expect(detach.mock.calls.length > 0).toBe(detaches);
    detach.mockRestore();
  });

  test('batches are cut at the limit of bytes, and what is larger goes alone', async () => {
    const { live, publish, turns, sink } = await makeWorld({ batch: { maxBytes: 1000 } });
    const view = live('a');
    const sized = (bytes: number) => ({ payload: json('x'.repeat(bytes)) });
    await publish('a', sized(400), sized(400), sized(400), sized(3000), sized(10));
    turns.settle();
    const frames = batches(sink.of(view));
    expect(ranges(frames)).toEqual('0-2 2-3 3-4 4-5');
    expect(frames.map(offsetsOf)).toEqual([[1, 2], [3], [4], [5]]);
  });

  test('tags count towards the limit of a batch, as they are sent too', async () => {
    const { live, publish, turns, sink } = await makeWorld({ batch: { maxBytes: 1000 } });
    const view = live('a');
    await publish('a', ...many(10, { tags: { a: 'x'.repeat(190), b: 'y'.repeat(190) } }));
    turns.settle();
    const sizes = sink.of(view).map(({ bytes }) => bytes.length);
    expect(Math.max(...sizes)).toBeLessThan(1100);
  });

  test('a turn takes at most 31 frames, and the rest goes in the next ones', async () => {
    const { live, publish, turns, sink } = await makeWorld({ batch: { maxBytes: 1 } });
    const view = live('a');
    const other = live('b');
    await publish('a', ...many(70));
    await publish('b');
    turns.settle();
    expect(Math.max(...sink.perTurn())).toBe(31);
    expect(batches(sink.of(view)).map(offsetsOf)).toEqual(Array.from({ length: 70 }, (_, i) => [i + 1]));
    // The large topic does not keep the small one waiting until it is done.
    const turnOfOther = sink.of(other).at(-1)?.turn ?? 0;
    expect(turnOfOther).toBeLessThan(sink.of(view).at(-1)?.turn ?? 0);
  });

  test('a new epoch is announced within the 31 frames of a turn', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    for (let i = 0; i < 16; i++) live(`t${i}`);
    for (let i = 0; i < 16; i++) await publish(`t${i}`);
    turns.settle();
    expect(sink.perTurn()).toEqual([31, 1]);
  });

  test('after a turn with frames there is one more, to see what was dropped', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    live('a');
    await publish('a');
    turns.settle();
    expect(sink.turns).toBe(2);
    await publish('unheard');
    turns.settle();
    expect(sink.turns).toBe(2);
  });

  test('reports the time from acceptance to the end of the drain', async () => {
    const { live, publish, turns, counts } = await makeWorld();
    live('a');
    await publish('a');
    turns.advance(1);
    await publish('a', {}, {});
    turns.advance(20);
    expect(counts.values('deliverySeconds').map((seconds) => Math.round(seconds * 1000))).toEqual([0, 5, 5]);
  });

  test('a burst larger than the ring loses nothing for live members', async () => {
    const { live, publish, turns, sink, broker } = await makeWorld({ topic: { maxPublications: 10 } });
    const view = live('a');
    const slow = live('a', { intervalMs: 1000 });
    await publish('a', ...many(500));
    turns.settle();
    await publish('a', ...many(500));
    turns.advance(2000);
    const expected = Array.from({ length: 1000 }, (_, i) => i + 1);
    expect(batches(sink.of(view)).flatMap(offsetsOf)).toEqual(expected);
    expect(batches(sink.of(slow)).flatMap(offsetsOf)).toEqual(expected);
    expect(topicOf(broker, 'a').ring.count).toBe(10);
  });
});

describe('views', () => {
  test('equal subscriptions share a view until the last has left', async () => {
    const { fanout, view } = await makeWorld();
    const first = view('a', { filter: onlyRoom('1') });
    const second = view('a', { filter: onlyRoom('1') });
    expect([second, fanout.viewCount]).toEqual([first, 1]);
    fanout.detach(first);
    expect(fanout.viewCount).toBe(1);
    fanout.detach(second);
    expect(fanout.viewCount).toBe(0);
    expect(view('a', { filter: onlyRoom('1') })).not.toBe(first);
  });

  test('a topic is held by its views, and goes with the last', async () => {
    const { fanout, view, broker } = await makeWorld();
    const attached = view('a');
    expect(broker.find('a')?.holds).toBe(1);
    fanout.detach(attached);
    expect(broker.find('a')).toBeUndefined();
  });

  test('a topic may have 64 views with a filter, and a pattern 64; another is too many', async () => {
    const { fanout, view } = await makeWorld();
    const attached = Array.from({ length: 64 }, (_, i) => view('a', { filter: onlyRoom(`${i}`) }));
    const one = { filter: onlyRoom('one more') };
    expect(() => view('a', one)).toThrow(expect.objectContaining({ code: 'too_many_views' }));
    expect(() => view('a')).not.toThrow();
    expect(view('a', { filter: onlyRoom('5') })).toBe(attached[5]);
    for (let i = 0; i < 64; i++) view('*', { filter: onlyRoom(`${i}`) });
    expect(() => view('*', one)).toThrow(expect.objectContaining({ code: 'too_many_views' }));
    expect(() => view('b', one)).not.toThrow();
    fanout.detach(attached[0] as View);
    fanout.detach(attached[5] as View);
    expect(() => view('a', one)).not.toThrow();
  });

  test('the number of views has a limit', async () => {
    const { fanout, view } = await makeWorld({ fanout: { viewsMax: 3 } });
    const slow = { intervalMs: 100 };
    const attached = ['a', 'b', 'c*'].map((target) => view(target, slow));
    expect(() => view('d', slow)).toThrow(expect.objectContaining({ code: 'too_many_views' }));
    expect(() => view('a', slow)).not.toThrow();
    expect(() => view('d')).not.toThrow();
    fanout.detach(attached[2] as View);
    expect(() => view('d', slow)).not.toThrow();
  });

  test.each(['a', 'a*'])('a view of %s without a subscription is not kept', async (target) => {
    const { fanout, view } = await makeWorld();
    const made = ['1', '2', '3'].map((room) => new WeakRef(view(target, { filter: onlyRoom(room) })));
    for (const weakly of made) fanout.detach(weakly.deref() as View);
    // Until then the runtime keeps what a `WeakRef` has shown.
    await setImmediate();
    collectGarbage();
    expect(made.map((weakly) => weakly.deref())).toEqual([undefined, undefined, undefined]);
  });

  test('counts subscriptions and who hears a topic', async () => {
    const { fanout, view, broker, publish } = await makeWorld();
    await publish('a:1');
    await publish('$all');
    for (let i = 0; i < 3; i++) view('a:1');
    const ended = view('a:*');
    view('b');
    for (const target of ['b:*', 'a:1:*']) view(target);
    expect(fanout.subscriptions(2)).toEqual({ total: 7, topics: 5, busiest: { 'a:1': 3, 'a:*': 1 } });
    const counts = () => ['a:1', '$all'].map((name) => fanout.subscribers(topicOf(broker, name)));
    expect(counts()).toEqual([4, 0]);
    for (const target of ['', '$', '$all', 'a:1']) view(`${target}*`);
    expect(counts()).toEqual([6, 2]);
    fanout.detach(ended);
    expect(counts()).toEqual([5, 2]);
  });

  test('looks at no pattern that a topic does not match', async () => {
    const { fanout, view, broker, publish, sink } = await makeWorld();
    const looked: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const one = view(`other:${i}*`);
      fanout.addMember(one, sink.member);
      const { options } = one;
      Object.defineProperty(one, 'options', { get: () => looked.push(options.target) && options });
    }
    await publish('a:1');
    expect([fanout.subscribers(topicOf(broker, 'a:1')), looked]).toEqual([0, []]);
  });

  test('a view without members gets nothing, and goes on with what is new when one comes', async () => {
    const { view, fanout, publish, turns, sink } = await makeWorld();
    const attached = view('a');
    await publish('a', {}, {});
    turns.settle();
    fanout.addMember(attached, sink.member);
    await publish('a');
    turns.settle();
    expect(ranges(sink.of(attached))).toEqual('2-3');
  });

  test('what was pending when the last member left is not sent to the next', async () => {
    const { live, fanout, publish, turns, sink } = await makeWorld();
    const view = live('a');
    await publish('a');
    fanout.removeMember(view, sink.member);
    turns.settle();
    expect(sink.frames).toEqual([]);
    fanout.addMember(view, sink.member);
    await publish('a');
    turns.advance(10);
    expect(ranges(batches(sink.of(view)))).toEqual('1-2');
  });
});

describe('the epoch', () => {
  test('is announced before the first batch of a topic that held nothing', async () => {
    const { live, publish, turns, sink, broker } = await makeWorld();
    const view = live('a');
    await publish('a');
    turns.settle();
    const [announced] = sink.of(view).map(({ bytes }) => decode(view.options.codec, bytes));
    expect(kinds(sink.of(view))).toEqual(['reset', 'batch']);
    const { epoch } = topicOf(broker, 'a');
    expect(announced).toMatchObject({ view: view.id, topic: 'a', epoch, offset: 0, mode: 'stream' });
    await publish('a');
    turns.advance(10);
    expect(kinds(sink.of(view))).toEqual(['reset', 'batch', 'batch']);
  });

  test('is not announced where the members knew it', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    await publish('a');
    const view = live('a');
    await publish('a');
    turns.settle();
    expect(kinds(sink.of(view))).toEqual(['batch']);
  });

  test('is announced after a reset, and what was pending of the old one is not sent', async () => {
    const { live, publish, turns, sink, broker } = await makeWorld();
    await publish('a', {}, {});
    const view = live('a');
    await publish('a');
    broker.reset('a', 'new', 40);
    turns.settle();
    expect(sink.of(view).map(({ bytes }) => decode(view.options.codec, bytes))).toMatchObject([
      { kind: 'reset', epoch: 'new', offset: 40 },
    ]);
  });

  test('the frame that announces it names the epoch before it, so that who lacks it can be told again', async () => {
    const { live, publish, turns, sink, broker } = await makeWorld();
    await publish('a');
    const { epoch } = topicOf(broker, 'a');
    const view = live('a');
    broker.reset('a', 'new', 0);
    turns.settle();
    expect(sink.of(view)).toMatchObject([{ feed: view.feedOf(topicOf(broker, 'a')), epoch }]);
  });
});

describe('patterns', () => {
  test('one view hears each topic that matches; each batch names its topic and epoch', async () => {
    const { live, publish, turns, sink, broker } = await makeWorld();
    await publish('s:1', {}, {});
    const view = live('s:*');
    await publish('s:1');
    await publish('s:2');
    await publish('other');
    turns.settle();
    const headers = sink.of(view).map((frame) => {
      const { topic, epoch, after, upto } = decodeBatch(frame);
      return { topic, epoch, after, upto };
    });
    expect(headers).toEqual([
      { topic: 's:1', epoch: broker.find('s:1')?.epoch, after: 2, upto: 3 },
      { topic: 's:2', epoch: broker.find('s:2')?.epoch, after: 0, upto: 1 },
    ]);
  });

  test('a topic that others had subscribed to before it was born is heard from its first publication', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    const before = live('s:*');
    const exact = live('s:1');
    const after = live('s:*', { intervalMs: 50 });
    await publish('s:1');
    turns.advance(100);
    for (const view of [before, after]) expect(ranges(sink.of(view))).toEqual('0-1');
    expect(kinds(sink.of(exact))).toEqual(['reset', 'batch']);
  });

  test('a state topic is announced at its birth, with its mode; a stream begins with its first batch', async () => {
    const { live, publish, turns, sink, broker } = await makeWorld();
    const view = live('*');
    await publish('state:1', { key: 'a' });
    await publish('s:1');
    turns.settle();
    const frames = sink.of(view).map(({ bytes }) => decode(view.options.codec, bytes));
    const { epoch } = topicOf(broker, 'state:1');
    expect(frames).toMatchObject([
      { kind: 'reset', view: view.id, topic: 'state:1', epoch, offset: 0, mode: 'state' },
      { kind: 'batch', topic: 'state:1', after: 0, upto: 1 },
      { kind: 'batch', topic: 's:1', after: 0, upto: 1 },
    ]);
    await publish('state:1', { key: 'b' });
    turns.advance(10);
    expect(kinds(sink.of(view))).toEqual(['reset', 'batch', 'batch', 'batch']);
  });

  test('a view that has members from the start misses nothing of topics of any age', async () => {
    const { live, fanout, publish, turns, sink } = await makeWorld();
    const view = live('*');
    await publish('a');
    const exact = live('a');
    await publish('a');
    fanout.removeMember(exact, sink.member);
    fanout.detach(exact);
    await publish('a');
    turns.advance(100);
    expect(batches(sink.of(view)).flatMap(offsetsOf)).toEqual([1, 2, 3]);
  });

  test('that many topics match hold up no other view', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    live('job:*');
    const other = live('stats');
    for (let i = 0; i < 100; i++) await publish(`job:${i}`);
    await publish('stats');
    turns.turn();
    expect([sink.frames.length, sink.frames.map(({ view }) => view.id).indexOf(other.id)]).toEqual([31, 8]);
    turns.settle();
    expect(sink.frames).toHaveLength(102);
  });

  test('Sluice’s own topics are not part of any', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    live('*');
    await publish('$all');
    turns.settle();
    expect(sink.frames).toEqual([]);
  });

  test('a topic that was removed has no feed, and is heard again where its numbering continues when it comes back', async () => {
    const { live, publish, turns, sink, broker } = await makeWorld({ topic: { maxAgeMs: 100 } });
    const view = live('*');
    await publish('a');
    turns.advance(200);
    broker.sweep();
    expect([broker.find('a'), [...view.feeds]]).toEqual([undefined, []]);
    await publish('a');
    turns.advance(10);
    const [first, second] = sink.of(view).map(decodeBatch);
    expect([first?.after, second?.after]).toEqual([0, 1]);
    expect(second?.epoch).toBe(first?.epoch);
  });

  test('a topic is not removed before what it has was sent, though its ring be empty', async () => {
    const { live, publish, turns, sink, broker } = await makeWorld({ topic: { maxAgeMs: 100 } });
    const view = live('*', { intervalMs: 5000 });
    await publish('a');
    turns.settle();
    await publish('a');
    turns.advance(200);
    broker.sweep();
    turns.advance(10_000);
    expect(sink.of(view).flatMap(offsetsOf)).toEqual([1, 2]);
    broker.sweep();
    expect(broker.find('a')).toBeUndefined();
  });

  test.each([0, 5000])(
    'a topic that began anew is not removed before members with an interval of %i ms were told',
    async (intervalMs) => {
      const { live, publish, turns, sink, broker } = await makeWorld();
      const view = live('*', { intervalMs });
      await publish('a');
      turns.settle();
      await publish('a');
      broker.reset('a', 'new', 0);
      broker.sweep();
      turns.settle();
      expect(kinds(sink.of(view))).toEqual(['batch', 'reset']);
      broker.sweep();
      expect(broker.find('a')).toBeUndefined();
    },
  );

  test('a topic of which nothing is known any more gives its place back once members of patterns were told', async () => {
    const { live, publish, turns, broker, sink } = await makeWorld();
    const view = live('*');
    await publish('a');
    turns.settle();
    broker.reset('a', '', 0);
    turns.settle();
    broker.sweep();
    expect(kinds(sink.of(view))).toEqual(['batch', 'reset']);
    expect([broker.find('a'), broker.size]).toEqual([undefined, 0]);
  });

  test('a pattern holds no topic once it has nothing to send', async () => {
    const { live, publish, turns, broker, fanout, sink } = await makeWorld();
    const view = live('*');
    await publish('a');
    turns.settle();
    expect(broker.find('a')?.holds).toBe(0);
    turns.advance(1);
    await publish('a');
    expect(broker.find('a')?.holds).toBe(1);
    fanout.removeMember(view, sink.member);
    fanout.detach(view);
    expect(broker.find('a')?.holds).toBe(0);
  });
});

describe('except', () => {
  test('the excepted session gets the same coverage, empty; runs are cut where it changes', async () => {
    const { live, publish, turns, sink } = await makeWorld();
    await publish('a');
    const view = live('a');
    await publish('a', {}, { except: 's' }, { except: 's' }, { except: 'other' }, {});
    turns.settle();
    const frames = sink.of(view);
    expect(frames.map((frame) => [frame.except, frame.after, frame.upto, offsetsOf(frame)])).toEqual([
      [undefined, 1, 2, [2]],
      ['s', 2, 4, [3, 4]],
      ['other', 4, 5, [5]],
      [undefined, 5, 6, [6]],
    ]);
    const instead = frames[1]?.instead;
    if (instead === undefined) throw new Error('nothing instead');
    expect(decodeBatch(instead)).toMatchObject({ view: view.id, after: 2, upto: 4, publications: [] });
    expect(instead.publications).toBe(0);
  });
});

describe('announcements', () => {
  const frame = {
    kind: 'joined',
    id: 0,
    topic: 'a',
    member: { session: 's', sinceMs: 1 },
  } as const;

  test('are sent at the end of the turn to the members, within the frames of a turn', async () => {
    const { live, fanout, turns, sink } = await makeWorld();
    const view = live('a');
    for (let i = 0; i < 40; i++) fanout.announce(view, frame);
    expect(sink.frames).toEqual([]);
    turns.settle();
    expect(sink.perTurn()).toEqual([31, 9]);
    expect(decode(view.options.codec, sink.frames[0]?.bytes ?? new Uint8Array())).toMatchObject(frame);
  });

  test('are no work where there are no members', async () => {
    const { view, fanout, turns } = await makeWorld();
    fanout.announce(view('a'), frame);
    expect(turns.asked).toBe(0);
  });
});

test('no turn takes more frames than may be, whatever they are', async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('publish' as const),
      topic: fc.constantFrom('a', 'b', 'state'),
      excepts: fc.array(fc.constantFrom(undefined, 's1', 's2', 's3'), { minLength: 1, maxLength: 80 }),
    }),
    fc.record({ do: fc.constant('announce' as const), count: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ do: fc.constant('reset' as const), topic: fc.integer({ min: 0, max: 39 }) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 20, 200) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), async (steps) => {
      const { live, publish, turns, sink, fanout, broker } = await makeWorld(eagerCompression);
      const views = ['a', 'b', 'state', '*'].flatMap((target) => [
        live(target, { dictionaries: true }),
        live(target, { intervalMs: 50 }),
        live(target, { conflate: true, filter: onlyRoom('1') }),
      ]);
      // The engine can't reset: these get nothing more.
      for (let i = 0; i < 40; i++) await publish(`r${i}`);
      turns.settle();
      let epochs = 0;
      for (const each of steps) {
        if (each.do === 'publish') {
          const fields = each.excepts.map((except, i) => ({
            except,
            key: `${i % 3}`,
            tags: { room: `${i % 2}` },
          }));
          await publish(each.topic, ...fields);
        } else if (each.do === 'announce') {
          const member = { session: 's', sinceMs: 0 };
          for (let i = 0; i < each.count; i++)
            fanout.announce(views[i % views.length] as View, { kind: 'joined', id: 0, topic: 'a', member });
        } else if (each.do === 'reset') {
          for (let i = each.topic; i < 40; i++) broker.reset(`r${i}`, `e${++epochs}`, 1);
        } else turns.advance(each.ms);
        turns.turn();
      }
      turns.advance(60_000);
      expect(Math.max(0, ...sink.perTurn())).toBeLessThanOrEqual(sink.framesMaxPerTurn);
    }),
    { numRuns: 100 },
  );
});
