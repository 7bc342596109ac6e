import { describe, expect, test } from 'vitest';
import { type Backlog, type CatchUpOptions, catchUp } from '../../src/catch-up/catch-up.ts';
import { PageCache } from '../../src/catch-up/page-cache.ts';
import { type BacklogItem, PatternBacklog } from '../../src/catch-up/pattern-backlog.ts';
import { TopicBacklog } from '../../src/catch-up/topic-backlog.ts';
import { Feed, type View } from '../../src/fanout/view.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { decode, makeWorld, onlyRoom, topicOf, type WorldOptions } from '../fanout/fixtures.ts';
import { json } from '../topics/fixtures.ts';

type SubscriberOptions = WorldOptions & { view?: Partial<View['options']>; pageBytes?: number };

/** `1-3: 2 3-k` is a batch of the offsets 2 and 3, of which the latter removes `k`; a snapshot lists keys. */
function textOf(frame: ServerFrame): string {
  if (frame.kind === 'batch') {
    const offsets = frame.publications.map(({ offset, key, removed }) => offset + (removed ? `-${key}` : ''));
    return [`${frame.after}-${frame.upto}:`, ...offsets].join(' ');
  }
  if (frame.kind === 'snapshot') {
    const place = [frame.first && 'first', frame.last && 'last'].filter(Boolean).join(' ');
    return [`${frame.kind} ${frame.offset} ${place}:`, ...frame.publications.map(({ key }) => key)].join(' ');
  }
  if (frame.kind === 'caughtUp' && !frame.recovered)
    return `gap ${frame.topic} ${frame.missing?.after}-${frame.missing?.upto}`;
  return frame.kind === 'reset' ? `reset ${frame.epoch} ${frame.offset}` : frame.kind;
}

/** One subscriber that has to catch up with a view, and takes as many pages as there is room for. */
async function subscriber(target: string, options: SubscriberOptions = {}) {
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
    endForUnnamedLoss: () => undefined,
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
  return {
    ...world,
    view,
    frames,
    outcomes: () => world.counts.labels('recoveriesTotal'),
    from,
    pump,
    batches,
    told: () => frames.map(textOf),
  };
}

const large = { payload: json('x'.repeat(600)) };

const inRoom = (room: string, more: object = {}) => ({ tags: { room }, ...more });
const inRoom1 = { view: { filter: onlyRoom('1') } };
const two = { topic: { maxPublications: 2 } };

describe('catching up', () => {
  test.each<readonly [string, string, SubscriberOptions, readonly object[], number, readonly string[]]>([
    ['what is missing', 'a', {}, [{}, {}, {}], 1, ['1-3: 2 3']],
    ['nothing to one that lacks nothing', 'a', {}, [{}, {}], 2, []],
    [
      'nothing of what its publisher excepted it from, and covers it',
      ...(['a', {}, [{ except: 'me' }, { except: 'other' }, { except: 'me' }], 0, ['0-3: 2']] as const),
    ],
    [
      'with conflation what is not replaced by what it is excepted from or what has expired',
      ...(['a', { view: { conflate: true } }] as const),
      [{ key: 'k' }, { key: 'k', except: 'me' }, { key: 'l' }, { key: 'l', ttlMs: 5 }],
      ...([0, ['0-4: 1 3']] as const),
    ],
    [
      'in state mode nothing that was replaced, though by what has expired',
      ...(['state', {}, [{ key: 'k' }, { key: 'l' }, { key: 'k', ttlMs: 5 }], 0, ['0-3: 2']] as const),
    ],
    ['what its filter takes', 'a', inRoom1, ['2', '1', '2'].map((room) => inRoom(room)), 0, ['0-3: 2']],
    [
      'in state mode the removal of what stopped matching',
      ...(['state', inRoom1, ['1', '2'].map((room) => inRoom(room, { key: 'a' })), 1, ['1-2: 2-a']] as const),
    ],
    [
      'in state mode the newest of each key alone',
      ...(['state', {}, [{ key: 'a' }, { key: 'b' }, { key: 'a' }], 0, ['0-3: 2 3']] as const),
    ],
    ['what is kept, after the gap before it', 'a', two, Array(5).fill({}), 1, ['gap a 1-3', '3-5: 4 5']],
    [
      'in state mode a snapshot in place of what the ring has lost',
      ...(['state', two] as const),
      [{ key: 'a' }, { key: 'b' }, { key: 'a' }, { key: 'c' }, { key: 'b', removed: true }],
      ...([1, ['snapshot 5 first last: a c']] as const),
    ],
    [
      'an empty snapshot as one page',
      ...(['state', { topic: { maxPublications: 1 } }] as const),
      [{ key: 'a' }, { key: 'a', removed: true }, { key: 'a', removed: true }],
      ...([0, ['snapshot 3 first last:']] as const),
    ],
    [
      'a snapshot without what does not match, and what it was excepted from',
      ...(['state', { ...inRoom1, topic: { maxPublications: 1 } }] as const),
      [
        inRoom('1', { key: 'a' }),
        { key: 'b' },
        inRoom('1', { key: 'c', except: 'me' }),
        inRoom('1', { key: 'd' }),
      ],
      ...([0, ['snapshot 4 first last: a d']] as const),
    ],
  ])('sends %s, and joins in the same turn', async (_, topic, options, publishes, offset, wanted) => {
    const { publish, from, pump, told, turns, view, outcomes } = await subscriber(topic, options);
    await publish(topic, ...publishes);
    from(topic, offset);
    turns.advance(5);
    expect([pump(), told(), view.members]).toEqual([true, wanted, 1]);
    const [kind] = wanted[0]?.split(' ') ?? [];
    expect(outcomes()).toEqual(kind === 'gap' || kind === 'snapshot' ? [kind] : []);
  });

  test('sends page by page, as there is room, and what was published meanwhile too', async () => {
    const { publish, from, pump, told, view } = await subscriber('a');
    await publish('a', large, large, large, large);
    from('a', 0);
    expect([pump(0), told()]).toEqual([false, []]);
    expect([pump(1), told()]).toEqual([false, ['0-2: 1 2']]);
    await publish('a', large);
    expect([pump(1), view.members]).toEqual([false, 0]);
    expect([pump(), told()]).toEqual([true, ['0-2: 1 2', '2-4: 3 4', '4-5: 5']]);
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

  test('conflation replaces nothing by what may expire before its page is sent', async () => {
    const { publish, from, pump, told, turns } = await subscriber('a', { view: { conflate: true } });
    const l = { ...large, key: 'l' };
    const k = { ...large, key: 'k' };
    await publish('a', k, l, { ...k, ttlMs: 5 });
    from('a', 0);
    expect(pump(1)).toBe(false);
    turns.advance(5);
    expect(pump()).toBe(true);
    expect(told()).toEqual(['0-2: 1 2', '2-3:']);
  });

  test('what has expired is covered and not sent; its removal is, however late', async () => {
    const { publish, from, pump, told, turns, broker } = await subscriber('state', { topic: { ttlMs: 100 } });
    await publish('state', { key: 'a' });
    await publish('state', { key: 'b', ttlMs: 100_000 });
    turns.advance(100);
    broker.sweep();
    turns.advance(5000);
    from('state', 1);
    pump();
    expect(told()).toEqual(['1-3: 2 3-a']);
  });

  test('a gap that opens while it catches up is named too', async () => {
    const { publish, from, pump, told } = await subscriber('a', { topic: { maxPublications: 4 } });
    await publish('a', large, large, large, large);
    from('a', 0);
    pump(1);
    await publish('a', large, large, large, large);
    pump();
    expect(told()).toEqual(['0-2: 1 2', 'gap a 2-4', '4-6: 5 6', '6-8: 7 8']);
  });

  test('a snapshot comes in pages of one state, followed by what changed meanwhile', async () => {
    const { publish, from, pump, told } = await subscriber('state', two);
    await publish('state', ...['a', 'b', 'c', 'd', 'e'].map((key) => ({ key, ...large })));
    from('state', 0);
    expect(pump(1)).toBe(false);
    await publish('state', { key: 'e', removed: true });
    expect(pump()).toBe(true);
    const pages = ['snapshot 5 first: a b', 'snapshot 5 : c d', 'snapshot 5 last: e'];
    expect(told()).toEqual([...pages, '5-6: 6-e']);
  });

  test('a reset meanwhile is told, and all of the new epoch is sent', async () => {
    const { publish, from, pump, told, broker } = await subscriber('a');
    await publish('a', large, large, large);
    from('a', 0);
    pump(1);
    broker.reset('a', 'new', 10);
    broker.appended('a', 'new', []);
    expect([pump(), told()]).toEqual([true, ['0-2: 1 2', 'reset new 10']]);
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
    const { publish, from, pump, told, broker } = await subscriber('state', {
      topic: { maxPublications: 1 },
    });
    await publish('state', ...['a', 'b', 'c'].map((key) => ({ key, ...large })));
    from('state', 0);
    pump(1);
    broker.reset('state', 'new', 0);
    pump();
    expect(told()).toEqual(['snapshot 3 first: a b', 'reset new 0', 'snapshot 0 first last:']);
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
    const { publish, from, pump, told } = await subscriber('p:*', { topic: { maxPublications: 4 } });
    await publish('p:1', {}, {});
    from('p:1', 2);
    await publish('p:1', {}, {}, {}, {}, {}, {});
    expect([pump(), told()]).toEqual([true, ['gap p:1 2-4', '4-8: 5 6 7 8']]);
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
