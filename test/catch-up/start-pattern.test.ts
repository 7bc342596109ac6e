import { describe, expect, test } from 'vitest';
import { startPattern } from '../../src/catch-up/start-pattern.ts';
import { TopicBacklog } from '../../src/catch-up/topic-backlog.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import type { Mode, Subscription } from '../../src/protocol/frames.ts';
import { cursorNow } from '../../src/topics/cursor.ts';
import { makeWorld, topicOf } from '../fanout/fixtures.ts';
import { growthBytes } from '../support/memory.ts';
import { stored } from '../topics/fixtures.ts';

type World = Pick<Awaited<ReturnType<typeof makeWorld>>, 'broker' | 'counts' | 'view'>;

/** What a subscriber of `p:*` is told, and its backlog. */
function start(
  { broker, counts, view }: World,
  subscription: Partial<Subscription> = {},
  { mode = 'stream' as Mode, listedMax = 1000 } = {},
) {
  const options = { broker, modeOf: () => mode, metrics: counts.metrics, listedMax };
  return startPattern(view('p:*'), { topic: 'p:*', ...subscription }, options);
}

/** Takes the backlog; returns after which offset of each topic it continued, in the order of their turns. */
function positionsIn({
  backlog,
}: Pick<ReturnType<typeof start>, 'backlog'>): [topic: string, position: number][] {
  const found: [topic: string, position: number][] = [];
  for (let item = backlog.current; item !== undefined; item = backlog.current) {
    if (item instanceof TopicBacklog) found.push([item.feed.topic.name, item.position]);
    backlog.advance();
  }
  return found;
}

/** A new subscriber that wants the last publication of each of `count` topics. */
async function subscribedTo(count: number) {
  const world = await makeWorld({ topic: { maxPublications: 4 }, broker: { topicsMax: count + 1 } });
  for (let i = 0; i < count; i++) await world.publish(`p:${i}`, {}, {});
  const started = start(world, { last: 1 });
  return { ...world, ...started, positions: () => positionsIn(started) };
}

describe('a pattern with the last N of each topic', () => {
  test.each([999, 1000, 1001])('lists at most 1000 of %i topics, and sends all of them', async (count) => {
    const { result, positions } = await subscribedTo(count);
    expect(result.topics).toHaveLength(Math.min(count, 1000));
    expect(positions()).toEqual(Array.from({ length: count }, (_, i) => [`p:${i}`, 1]));
  });

  test('has no cursor before they were sent: cut off, its client goes on from the positions', async () => {
    const [none, one] = [await subscribedTo(0), await subscribedTo(1)];
    expect([none.result.cursor, one.result.cursor]).toEqual([cursorNow(none.broker.commits), undefined]);
  });

  test('sends what is published before the turn of a topic that was not listed comes, too', async () => {
    const { publish, positions } = await subscribedTo(1001);
    await publish('p:1000', {}, {});
    expect(positions().filter(([topic]) => topic === 'p:1000')).toEqual([
      ['p:1000', 1],
      ['p:1000', 2],
    ]);
  });

  test('names what the ring of such a topic has lost by then', async () => {
    const { publish, positions, broker } = await subscribedTo(1001);
    await publish('p:1000', {}, {}, {}, {}, {});
    const [[, position] = ['', -1]] = positions().filter(([topic]) => topic === 'p:1000');
    expect(position).toBeLessThan(topicOf(broker, 'p:1000').ring.reach);
  });
});

test('a new subscriber of 3000 streams looks at those that the reply lists', async () => {
  const world = await makeWorld({ broker: { topicsMax: 3000 } });
  for (let i = 0; i < 3000; i++) await world.publish(`p:${i}`, {});
  const { broker } = world;
  const topicsOf = broker.topicsOf.bind(broker);
  let looked = 0;
  broker.topicsOf = function* (pattern) {
    for (const topic of topicsOf(pattern)) {
      looked++;
      yield topic;
    }
  };
  const { result } = start(world);
  expect([result.topics?.length, looked]).toEqual([1000, 1000]);
});

test('what waits for its turn takes at most 40 kB of a subscriber to 20 000 topics, listed or not', async () => {
  const world = await makeWorld({ topic: { maxPublications: 4 }, broker: { topicsMax: 20_000 } });
  for (let i = 0; i < 20_000; i++) await world.publish(`p:${i}`, {});
  const view = world.view('p:*');
  const subscribers = 50;
  const held: unknown[] = [];
  const bytes = growthBytes('heapUsed', () => {
    for (let i = 0; i < subscribers; i++)
      held.push(start({ ...world, view: () => view }, { last: 1 }).backlog);
  });
  expect([held.length, bytes / subscribers < 40_000]).toEqual([subscribers, true]);
});

test('where the reply has no room, a pattern lists no topic, has no cursor, and sends all of them', async () => {
  const world = await makeWorld({ topic: { maxPublications: 4 } });
  for (const topic of ['p:1', 'p:2', 'p:3']) await world.publish(topic, {}, {});
  const started = (listedMax: number) => start(world, { last: 1 }, { listedMax });
  const none = started(0);
  expect([none.result.topics, none.result.cursor]).toEqual([[], undefined]);
  expect(positionsIn(none)).toEqual([1, 2, 3].map((n) => [`p:${n}`, 1]));
  expect(started(2).result.topics?.map(({ topic }) => topic)).toEqual(['p:1', 'p:2']);
});

test('a topic that is born before its turn comes is sent from its begin', async () => {
  const { publish, positions } = await subscribedTo(1001);
  await publish('p:new', {}, {});
  const found = positions();
  expect(found.filter(([topic]) => topic === 'p:new')).toContainEqual(['p:new', 0]);
  expect(found.slice(0, 1001).map(([topic]) => topic)).toEqual(
    Array.from({ length: 1001 }, (_, i) => `p:${i}`),
  );
});

describe('a pattern that continues by a cursor, and in some topics by positions', () => {
  test('gets of those what follows their positions, of the others what follows the cursor', async () => {
    const world = await makeWorld();
    const { broker, publish } = world;
    for (const topic of ['p:1', 'p:2', 'p:3', 'q']) await publish(topic, {}, {}, {});
    const cursor = cursorNow(broker.commits);
    await publish('p:2');
    const { epoch } = topicOf(broker, 'p:1');
    const positions = [
      { topic: 'p:1', epoch, offset: 1 },
      { topic: 'p:9', epoch, offset: 1 },
      { topic: 'q', epoch, offset: 1 },
    ];
    const started = start(world, { cursor, positions });
    expect(started.result).toMatchObject({
      recovered: true,
      topics: [
        { topic: 'p:1', epoch, offset: 1, recovered: true },
        { topic: 'p:9', epoch: '', offset: 0, recovered: false },
      ],
    });
    expect(Object.fromEntries(positionsIn(started))).toEqual({ 'p:1': 1, 'p:2': 3 });
  });

  test('gets all values of a state topic that began anew since, as its mode and its numbering are news', async () => {
    const world = await makeWorld({ topic: { mode: 'state' } });
    await world.publish('p:1', { key: 'a' });
    const cursor = cursorNow(world.broker.commits);
    // The engine had dropped its numbering.
    world.broker.appended('p:1', 'new', [stored(2, { key: 'b' })]);
    const { backlog } = start(world, { cursor }, { mode: 'state' });
    expect(backlog.current).toMatchObject({ epoch: 'new', lag: { lacksValues: true } });
  });
});

test.each([
  ['all', 'own', 3, { recovered: true, missing: undefined }],
  ['a part', 'own', 1, { recovered: false, missing: { after: 1, upto: 3 } }],
  ['more than there ever was', 'own', 4, { recovered: false, missing: undefined }],
  ['another numbering', 'E0', 3, { recovered: false, missing: undefined }],
])(
  'of a topic whose content has aged, a client that had %s is told what it has missed',
  async (_, numbering, offset, told) => {
    const world = await makeWorld({ topic: { maxAgeMs: 100 } });
    const { broker, publish, turns } = world;
    await publish('p:1', {}, {}, {});
    const own = topicOf(broker, 'p:1').epoch;
    turns.advance(200);
    broker.sweep();
    expect(broker.find('p:1')).toBeUndefined();
    const positions = [{ topic: 'p:1', epoch: numbering === 'own' ? own : numbering, offset }];
    expect(start(world, { positions }).result.topics).toEqual([
      { topic: 'p:1', epoch: own, offset: 3, mode: 'stream', ...told },
    ]);
  },
);

test.each(['gone', 'subscribed to'])(
  'a topic that a client had and that is %s is named by its position',
  async (how) => {
    const world = await makeWorld();
    if (how === 'subscribed to') world.broker.retain('p:1');
    const positions = [{ topic: 'p:1', epoch: 'E', offset: 3 }];
    for (const cursor of [undefined, cursorNow(world.broker.commits), 'of another gateway']) {
      const { topics } = start(world, { positions, cursor }).result;
      expect(topics).toMatchObject([{ topic: 'p:1', epoch: '', offset: 0, recovered: false }]);
    }
  },
);

describe('a pattern that continues by positions alone is told whether other topics may have come and gone:', () => {
  async function continued({ numberingsMax = 10, gone = 'p:2', epoch = '' }) {
    const engine = new MemoryEngine({ nowMs: () => 0, isState: () => false, numberingsMax });
    const world = await makeWorld({ topic: { maxAgeMs: 100 }, broker: { engine } });
    const { broker, publish, turns } = world;
    await publish(gone, {});
    turns.advance(200);
    broker.sweep();
    await publish('p:1', {});
    const positions = [{ topic: 'p:1', epoch: epoch || topicOf(broker, 'p:1').epoch, offset: 1 }];
    return start(world, { positions }).result.recovered;
  }

  test.each([
    ['one that is gone', {}, false],
    ['one whose numbering was dropped', { numberingsMax: 0 }, false],
    ['any, before the engine began anew', { gone: 'q', epoch: 'of before' }, false],
    ['none', { gone: 'q' }, undefined],
  ])('%s', async (_, how, recovered) => {
    expect(await continued(how)).toBe(recovered);
  });

  test('one that it knew as empty', async () => {
    const world = await makeWorld({ topic: { maxAgeMs: 100 } });
    const { broker, publish, turns } = world;
    await publish('p:2', {});
    turns.advance(200);
    broker.sweep();
    await publish('p:1', {});
    const { epoch } = topicOf(broker, 'p:1');
    const positions = [
      { topic: 'p:1', epoch, offset: 1 },
      { topic: 'p:2', epoch: '', offset: 0 },
    ];
    expect(start(world, { positions }).result.recovered).toBe(false);
  });
});

test('a state topic that begins a new numbering before its turn comes is reset first', async () => {
  const world = await makeWorld({ topic: { mode: 'state' } });
  const { broker } = world;
  await world.publish('p:a', { key: 'k' });
  const { backlog, result } = start(world, {}, { mode: 'state' });
  expect(result.topics).toMatchObject([{ topic: 'p:a', epoch: topicOf(broker, 'p:a').epoch }]);
  broker.reset('p:a', 'another', 0);
  const { current } = backlog;
  expect(current instanceof TopicBacklog && current.isOfAnotherEpoch).toBe(true);
});

describe('a pattern that continues by positions in more topics than a reply lists', () => {
  async function continued() {
    const world = await makeWorld({ topic: { maxPublications: 2, maxAgeMs: 1000 } });
    await world.publish('p:a', {});
    const positions = [{ topic: 'p:a', epoch: topicOf(world.broker, 'p:a').epoch, offset: 1 }];
    await world.publish('p:a', {});
    const { backlog } = start(world, { positions }, { listedMax: 0 });
    /** Whether the client will be told that it lacks something of the topic. */
    const isLossNamed = () => {
      for (let item = backlog.current; item !== undefined; item = backlog.current) {
        if (item instanceof TopicBacklog && item.isOutOfReach) return true;
        backlog.advance();
      }
      return false;
    };
    return { ...world, isLossNamed };
  }

  test('names what one of the others has lost before its turn comes', async () => {
    const { publish, isLossNamed } = await continued();
    await publish('p:a', {}, {});
    expect(isLossNamed()).toBe(true);
  });

  test('names what was lost with one of the others that is removed before its turn comes', async () => {
    const { broker, turns, isLossNamed } = await continued();
    turns.elapse(2000);
    broker.sweep();
    expect(broker.find('p:a')).toBeUndefined();
    expect(isLossNamed()).toBe(true);
  });
});
