import { describe, expect, test } from 'vitest';
import { type Backlog, type CatchUpOptions, catchUp } from '../../src/catch-up/catch-up.ts';
import { PageCache } from '../../src/catch-up/page-cache.ts';
import { type BacklogItem, PatternBacklog } from '../../src/catch-up/pattern-backlog.ts';
import { TopicBacklog } from '../../src/catch-up/topic-backlog.ts';
import { Feed, type View } from '../../src/fanout/view.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { decode, makeWorld, onlyRoom, topicOf, type WorldOptions } from '../fanout/fixtures.ts';
import { json } from '../topics/fixtures.ts';

/** One subscriber that has to catch up with a view, and takes as many pages as there is room for. */
async function subscriber(
  target: string,
  options: WorldOptions & { view?: Partial<View['options']>; pageBytes?: number } = {},
) {
  const world = await makeWorld(options);
  const frames: ServerFrame[] = [];
  let room = Number.POSITIVE_INFINITY;
  const view = world.view(target, options.view);
  const items: BacklogItem[] = [];
  let lacking: Backlog = new PatternBacklog(world.broker, view, items);
  const catchUpOptions: CatchUpOptions = {
    nowMs: () => world.broker.nowMs(),
    pageBytes: options.pageBytes ?? 1000,
    modeOf: (topic) => (topic === 'state' ? 'state' : 'stream'),
    pages: new PageCache({
      maxBytes: 65_536,
      compressMinBytes: 256,
      metrics: world.counts.metrics,
    }),
    metrics: world.counts.metrics,
  };
  const take = (frame: ServerFrame) => {
    room--;
    frames.push(frame);
  };
  const receiver = {
    id: 'me',
    hasRoom: () => room > 0,
    sendBytes: (message: Uint8Array) => take(decode(view.options.codec, message)),
    sendFrame: take,
  };
  /** Everything up to here it has had. */
  const from = (topic: string, offset: number, epoch = topicOf(world.broker, topic).epoch) => {
    const known = topicOf(world.broker, topic);
    const feed = view.feedOf(known) ?? new Feed(view, known);
    const backlog = new TopicBacklog(feed, epoch, offset);
    items.push(backlog);
    lacking = view.isPattern ? new PatternBacklog(world.broker, view, items) : backlog;
  };
  const pump = (pages = Number.POSITIVE_INFINITY) => {
    room = pages;
    const done = catchUp(receiver, view, lacking, catchUpOptions);
    if (done) world.fanout.addMember(view, world.sink.member);
    return done;
  };
  const batches = () => frames.flatMap((frame) => (frame.kind === 'batch' ? [frame] : []));
  const snapshots = () => frames.flatMap((frame) => (frame.kind === 'snapshot' ? [frame] : []));
  return {
    ...world,
    view,
    frames,
    outcomes: () => world.counts.labels('recoveriesTotal'),
    from,
    pump,
    batches,
    snapshots,
  };
}

const offsets = (publications: readonly { offset: number }[]) => publications.map(({ offset }) => offset);
const large = { payload: json('x'.repeat(600)) };

describe('catching up', () => {
  test('sends what is missing and joins in the same turn', async () => {
    const { publish, from, pump, batches, view, outcomes } = await subscriber('a');
    await publish('a', {}, {}, {});
    from('a', 1);
    expect(pump()).toBe(true);
    expect(batches().map(({ after, upto, publications }) => [after, upto, offsets(publications)])).toEqual([
      [1, 3, [2, 3]],
    ]);
    expect([view.members, outcomes()]).toEqual([1, []]);
  });

  test('sends nothing to a subscriber that lacks nothing', async () => {
    const { publish, from, pump, frames } = await subscriber('a');
    await publish('a', {}, {});
    from('a', 2);
    expect([pump(), frames]).toEqual([true, []]);
  });

  test('sends page by page, as there is room, and what was published meanwhile too', async () => {
    const { publish, from, pump, batches, view } = await subscriber('a');
    await publish('a', large, large, large, large);
    from('a', 0);
    expect([pump(1), batches().map(({ upto }) => upto)]).toEqual([false, [2]]);
    await publish('a', large);
    expect([pump(1), view.members]).toEqual([false, 0]);
    expect(pump()).toBe(true);
    expect(batches().map(({ after, upto }) => [after, upto])).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
  });

  test('sends nothing without room, and the subscriber does not join', async () => {
    const { publish, from, pump, frames, view } = await subscriber('a');
    await publish('a');
    from('a', 0);
    expect([pump(0), frames, view.members]).toEqual([false, [], 0]);
  });

  test('keys and tags count towards a page, as they are sent too', async () => {
    const { publish, from, pump, batches } = await subscriber('a');
    await publish(
      'a',
      ...Array.from({ length: 10 }, () => ({ tags: { a: 'x'.repeat(190), b: 'y'.repeat(190) } })),
    );
    from('a', 0);
    pump();
    expect(batches().map(({ publications }) => publications.length)).toEqual([2, 2, 2, 2, 2]);
  });

  test('where others are live, it joins at what they were sent: the next batch follows', async () => {
    const { publish, from, pump, batches, live, turns, sink, view } = await subscriber('a');
    await publish('a');
    const members = live('a');
    await publish('a', {}, {});
    turns.settle();
    await publish('a', {});
    from('a', 1);
    expect(pump()).toBe(true);
    expect(batches().at(-1)?.upto).toBe(3);
    expect(members).toBe(view);
    turns.advance(10);
    expect(sink.of(view).at(-1)).toMatchObject({ after: 3, upto: 4 });
  });

  test('a publication that its publisher excepted it from is covered and not sent', async () => {
    const { publish, from, pump, batches } = await subscriber('a');
    await publish('a', { except: 'me' }, { except: 'other' }, { except: 'me' });
    from('a', 0);
    pump();
    expect(batches().map(({ after, upto, publications }) => [after, upto, offsets(publications)])).toEqual([
      [0, 3, [2]],
    ]);
  });

  test('conflation replaces nothing by what it is excepted from or what has expired', async () => {
    const { publish, from, pump, batches, turns } = await subscriber('a', { view: { conflate: true } });
    await publish('a', { key: 'k' }, { key: 'k', except: 'me' }, { key: 'l' }, { key: 'l', ttlMs: 5 });
    from('a', 0);
    turns.advance(5);
    pump();
    expect(batches().map(({ upto, publications }) => [upto, offsets(publications)])).toEqual([[4, [1, 3]]]);
  });

  test('conflation replaces nothing by what may expire before its page is sent', async () => {
    const { publish, from, pump, batches, turns } = await subscriber('a', { view: { conflate: true } });
    const l = { ...large, key: 'l' };
    const k = { ...large, key: 'k' };
    await publish('a', k, l, { ...k, ttlMs: 5 });
    from('a', 0);
    expect(pump(1)).toBe(false);
    turns.advance(5);
    expect(pump()).toBe(true);
    expect(batches().map(({ upto, publications }) => [upto, offsets(publications)])).toEqual([
      [2, [1, 2]],
      [3, []],
    ]);
  });

  test('in state mode an expired value replaces an older one', async () => {
    const { publish, from, pump, batches, turns } = await subscriber('state');
    await publish('state', { key: 'k' }, { key: 'l' }, { key: 'k', ttlMs: 5 });
    from('state', 0);
    turns.advance(5);
    pump();
    expect(batches().map(({ upto, publications }) => [upto, offsets(publications)])).toEqual([[3, [2]]]);
  });

  test('the filter of the subscription applies', async () => {
    const { publish, from, pump, batches } = await subscriber('a', { view: { filter: onlyRoom('1') } });
    await publish('a', { tags: { room: '2' } }, { tags: { room: '1' } }, { tags: { room: '2' } });
    from('a', 0);
    pump();
    expect(batches().map(({ after, upto, publications }) => [after, upto, offsets(publications)])).toEqual([
      [0, 3, [2]],
    ]);
  });

  test('in state mode what stopped matching is removed', async () => {
    const { publish, from, pump, batches } = await subscriber('state', { view: { filter: onlyRoom('1') } });
    await publish('state', { key: 'a', tags: { room: '1' } }, { key: 'a', tags: { room: '2' } });
    from('state', 1);
    pump();
    expect(batches().flatMap(({ publications }) => publications)).toMatchObject([
      { offset: 2, key: 'a', removed: true },
    ]);
  });

  test('in state mode only the newest publication of each key is sent', async () => {
    const { publish, from, pump, batches } = await subscriber('state');
    await publish('state', { key: 'a' }, { key: 'b' }, { key: 'a' });
    from('state', 0);
    pump();
    expect(batches().map(({ upto, publications }) => [upto, offsets(publications)])).toEqual([[3, [2, 3]]]);
  });

  test('what has expired is covered and not sent; its removal is, however late', async () => {
    const { publish, from, pump, batches, turns, broker } = await subscriber('state', {
      topic: { ttlMs: 100 },
    });
    await publish('state', { key: 'a' });
    await publish('state', { key: 'b', ttlMs: 100_000 });
    turns.advance(100);
    broker.sweep();
    turns.advance(5000);
    from('state', 1);
    pump();
    expect(batches().flatMap(({ publications }) => publications)).toMatchObject([
      { offset: 2, key: 'b' },
      { offset: 3, key: 'a', removed: true },
    ]);
  });

  test('a gap is named, and delivery goes on from the oldest that is kept', async () => {
    const { publish, from, pump, frames, outcomes, broker } = await subscriber('a', {
      topic: { maxPublications: 2 },
    });
    await publish('a', {}, {}, {}, {}, {});
    from('a', 1);
    expect(pump()).toBe(true);
    expect(frames).toMatchObject([
      {
        kind: 'caughtUp',
        topic: 'a',
        epoch: broker.find('a')?.epoch,
        offset: 3,
        recovered: false,
        missing: { after: 1, upto: 3 },
      },
      { kind: 'batch', after: 3, upto: 5 },
    ]);
    expect(outcomes()).toEqual(['gap']);
  });

  test('a gap that opens while it catches up is named too', async () => {
    const { publish, from, pump, frames } = await subscriber('a', { topic: { maxPublications: 4 } });
    await publish('a', large, large, large, large);
    from('a', 0);
    pump(1);
    await publish('a', large, large, large, large);
    pump();
    expect(frames.map((frame) => frame.kind)).toEqual(['batch', 'caughtUp', 'batch', 'batch']);
    expect(frames[1]).toMatchObject({ recovered: false, missing: { after: 2, upto: 4 } });
  });

  test('in state mode a snapshot takes the place of what the ring has lost', async () => {
    const { publish, from, pump, snapshots, frames, outcomes } = await subscriber('state', {
      topic: { maxPublications: 2 },
    });
    await publish(
      'state',
      { key: 'a' },
      { key: 'b' },
      { key: 'a' },
      { key: 'c' },
      { key: 'b', removed: true },
    );
    from('state', 1);
    expect(pump()).toBe(true);
    expect(frames).toHaveLength(1);
    expect(snapshots()).toMatchObject([{ offset: 5, first: true, last: true, topic: 'state' }]);
    expect(snapshots().flatMap(({ publications }) => publications.map(({ key }) => key))).toEqual(['a', 'c']);
    expect(outcomes()).toEqual(['snapshot']);
  });

  test('a snapshot comes in pages of one state, followed by what changed meanwhile', async () => {
    const { publish, from, pump, snapshots, batches } = await subscriber('state', {
      topic: { maxPublications: 2 },
    });
    await publish('state', ...['a', 'b', 'c', 'd', 'e'].map((key) => ({ key, ...large })));
    from('state', 0);
    expect(pump(1)).toBe(false);
    await publish('state', { key: 'e', removed: true });
    expect(pump()).toBe(true);
    expect(
      snapshots().map(({ first, last, offset, publications }) => [first, last, offset, publications.length]),
    ).toEqual([
      [true, false, 5, 2],
      [false, false, 5, 2],
      [false, true, 5, 1],
    ]);
    expect(batches().flatMap(({ publications }) => publications)).toMatchObject([
      { offset: 6, key: 'e', removed: true },
    ]);
  });

  test('an empty snapshot is one page that is first and last', async () => {
    const { publish, from, pump, snapshots } = await subscriber('state', { topic: { maxPublications: 1 } });
    await publish('state', { key: 'a' }, { key: 'a', removed: true }, { key: 'a', removed: true });
    from('state', 0);
    pump();
    expect(snapshots()).toMatchObject([{ first: true, last: true, offset: 3, publications: [] }]);
  });

  test('a snapshot leaves out what does not match, and what it was excepted from', async () => {
    const { publish, from, pump, snapshots } = await subscriber('state', {
      topic: { maxPublications: 1 },
      view: { filter: onlyRoom('1') },
    });
    const tags = { room: '1' };
    await publish(
      'state',
      { key: 'a', tags },
      { key: 'b' },
      { key: 'c', tags, except: 'me' },
      { key: 'd', tags },
    );
    from('state', 0);
    pump();
    expect(snapshots().flatMap(({ publications }) => publications.map(({ key }) => key))).toEqual(['a', 'd']);
  });

  test('a reset meanwhile is told, and all of the new epoch is sent', async () => {
    const { publish, from, pump, frames, broker } = await subscriber('a');
    await publish('a', large, large, large);
    from('a', 0);
    pump(1);
    broker.reset('a', 'new', 10);
    broker.appended('a', 'new', []);
    expect(pump()).toBe(true);
    expect(frames.slice(1)).toMatchObject([{ kind: 'reset', topic: 'a', epoch: 'new', offset: 10 }]);
  });

  test('a reset in state mode is followed by a snapshot', async () => {
    const { publish, from, pump, frames, broker } = await subscriber('state');
    await publish('state', { key: 'a' });
    from('state', 0);
    broker.reset('state', 'new', 0);
    expect(pump()).toBe(true);
    expect(frames).toMatchObject([
      { kind: 'reset', epoch: 'new', mode: 'state' },
      { kind: 'snapshot', epoch: 'new', publications: [] },
    ]);
  });

  test('a reset during a snapshot begins another one', async () => {
    const { publish, from, pump, frames, broker } = await subscriber('state', {
      topic: { maxPublications: 1 },
    });
    await publish('state', ...['a', 'b', 'c'].map((key) => ({ key, ...large })));
    from('state', 0);
    pump(1);
    broker.reset('state', 'new', 0);
    pump();
    expect(frames.map((frame) => [frame.kind, 'epoch' in frame && frame.epoch === 'new'])).toEqual([
      ['snapshot', false],
      ['reset', true],
      ['snapshot', true],
    ]);
    expect(frames[2]).toMatchObject({ first: true, last: true });
  });

  test('topics of a pattern that are born meanwhile are sent from their beginning', async () => {
    const { publish, pump, frames, live, broker } = await subscriber('p:*');
    live('p:*');
    await publish('p:1');
    expect(pump()).toBe(true);
    const { epoch } = topicOf(broker, 'p:1');
    expect(frames).toMatchObject([{ kind: 'batch', topic: 'p:1', epoch, after: 0, upto: 1 }]);
  });

  test('what a removed topic still had to send is named, and a topic that is born meanwhile not overlooked', async () => {
    const { publish, pump, from, frames, live, broker, turns } = await subscriber('p:*', {
      topic: { maxAgeMs: 100 },
    });
    live('p:*');
    await publish('p:1', large, large, large);
    turns.settle();
    from('p:1', 0);
    expect(pump(1)).toBe(false);
    turns.advance(200);
    broker.sweep();
    await publish('p:2');
    turns.settle();
    expect(broker.find('p:1')).toBeUndefined();
    expect(pump()).toBe(true);
    expect(frames.slice(1)).toMatchObject([
      { kind: 'caughtUp', topic: 'p:1', recovered: false, missing: { after: 2, upto: 3 } },
      { kind: 'batch', topic: 'p:2', after: 0, upto: 1 },
    ]);
  });

  test('a topic of a pattern that has lost publications before its turn is sent once', async () => {
    const { publish, from, pump, frames } = await subscriber('p:*', { topic: { maxPublications: 4 } });
    await publish('p:1', {}, {});
    from('p:1', 2);
    await publish('p:1', {}, {}, {}, {}, {}, {});
    expect(pump()).toBe(true);
    expect(frames).toMatchObject([
      { kind: 'caughtUp', recovered: false, missing: { after: 2, upto: 4 } },
      { kind: 'batch', after: 4, upto: 8 },
    ]);
    expect(frames).toHaveLength(2);
  });

  test.each([999, 1000, 1001])('sends nothing of the first 1000 of %i topics twice', async (count) => {
    const { publish, from, pump, batches } = await subscriber('p:*', { broker: { topicsMax: count } });
    for (let i = 0; i < count; i++) await publish(`p:${i}`, {});
    for (let i = 0; i < count; i++) from(`p:${i}`, 0);
    await publish(`p:${count - 1}`, {});
    expect(pump()).toBe(true);
    expect(batches()).toHaveLength(count + (count > 1000 ? 1 : 0));
  });

  test('a topic of a pattern that was sent and then removed is not named as lost', async () => {
    const { publish, from, pump, frames, broker, turns } = await subscriber('p:*', {
      topic: { maxAgeMs: 100 },
    });
    await publish('p:1', {});
    from('p:1', 0);
    await publish('p:2', large, large, large);
    from('p:2', 0);
    await publish('p:1', {});
    pump(2);
    turns.advance(200);
    broker.sweep();
    expect(broker.find('p:1')).toBeUndefined();
    expect(pump()).toBe(true);
    const named = frames.flatMap((frame) => (frame.kind === 'caughtUp' ? [frame.topic] : []));
    expect(named).toEqual(['p:2']);
  });

  test('all topics of a pattern are up to date in the turn in which it joins', async () => {
    const { publish, from, pump, batches, view, turns, sink, live } = await subscriber('p:*');
    await publish('p:1', large, large);
    await publish('p:2', large, large, large, large);
    from('p:1', 0);
    from('p:2', 0);
    pump(2);
    live('p:*');
    await publish('p:1', large);
    turns.settle();
    expect(pump()).toBe(true);
    const upto = new Map(batches().map((batch) => [batch.topic, batch.upto]));
    for (const feed of view.feeds) expect(upto.get(feed.topic.name)).toBeGreaterThanOrEqual(feed.position);
    await publish('p:2', {});
    turns.advance(10);
    expect(sink.of(view).at(-1)?.after).toBeLessThanOrEqual(upto.get('p:2') ?? 0);
  });
});
