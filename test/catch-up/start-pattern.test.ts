import { describe, expect, test } from 'vitest';
import { startPattern } from '../../src/catch-up/start-pattern.ts';
import { TopicBacklog } from '../../src/catch-up/topic-backlog.ts';
import { cursorNow } from '../../src/topics/cursor.ts';
import { makeWorld, topicOf } from '../fanout/fixtures.ts';
import { growthBytes } from '../support/memory.ts';
import { stored } from '../topics/fixtures.ts';

/** A new subscriber of `p:*` that wants the last publication of each of `count` topics, and then takes its backlog. */
async function subscribedTo(count: number) {
  const world = await makeWorld({ topic: { maxPublications: 4 }, broker: { topicsMax: count + 1 } });
  for (let i = 0; i < count; i++) await world.publish(`p:${i}`, {}, {});
  const view = world.view('p:*');
  const options = {
    broker: world.broker,
    modeOf: () => 'stream' as const,
    metrics: world.counts.metrics,
    listedMax: 1000,
  };
  const { backlog, result } = startPattern(view, { topic: 'p:*', last: 1 }, options);
  /** After which offset of each topic it continues, in the order of its turn. */
  const positions = () => {
    const found: [topic: string, position: number][] = [];
    for (let item = backlog.current; item !== undefined; item = backlog.current) {
      if (item instanceof TopicBacklog) found.push([item.feed.topic.name, item.position]);
      backlog.advance();
    }
    return found;
  };
  return { ...world, backlog, result, positions };
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
  const { broker, publish, view, counts } = await makeWorld({ broker: { topicsMax: 3000 } });
  for (let i = 0; i < 3000; i++) await publish(`p:${i}`, {});
  const topicsOf = broker.topicsOf.bind(broker);
  let looked = 0;
  broker.topicsOf = function* (pattern) {
    for (const topic of topicsOf(pattern)) {
      looked++;
      yield topic;
    }
  };
  const options = { broker, modeOf: () => 'stream' as const, metrics: counts.metrics, listedMax: 1000 };
  const { result } = startPattern(view('p:*'), { topic: 'p:*' }, options);
  expect([result.topics?.length, looked]).toEqual([1000, 1000]);
});

test('what waits for its turn takes at most 40 kB of a subscriber to 20 000 topics, listed or not', async () => {
  const world = await makeWorld({ topic: { maxPublications: 4 }, broker: { topicsMax: 20_000 } });
  for (let i = 0; i < 20_000; i++) await world.publish(`p:${i}`, {});
  const view = world.view('p:*');
  const options = {
    broker: world.broker,
    modeOf: () => 'stream' as const,
    metrics: world.counts.metrics,
    listedMax: 1000,
  };
  const subscribers = 50;
  const held: unknown[] = [];
  const bytes = growthBytes('heapUsed', () => {
    for (let i = 0; i < subscribers; i++)
      held.push(startPattern(view, { topic: 'p:*', last: 1 }, options).backlog);
  });
  expect([held.length, bytes / subscribers < 40_000]).toEqual([subscribers, true]);
});

test('where the reply has no room, a pattern lists no topic, has no cursor, and sends all of them', async () => {
  const { broker, view: viewOf, counts, publish } = await makeWorld({ topic: { maxPublications: 4 } });
  for (const topic of ['p:1', 'p:2', 'p:3']) await publish(topic, {}, {});
  const options = { broker, modeOf: () => 'stream' as const, metrics: counts.metrics };
  const started = (listedMax: number) =>
    startPattern(viewOf('p:*'), { topic: 'p:*', last: 1 }, { ...options, listedMax });
  const { backlog, result } = started(0);
  expect([result.topics, result.cursor]).toEqual([[], undefined]);
  const found: unknown[] = [];
  for (let item = backlog.current; item !== undefined; item = backlog.current) {
    if (item instanceof TopicBacklog) found.push([item.feed.topic.name, item.position]);
    backlog.advance();
  }
  expect(found).toEqual([1, 2, 3].map((n) => [`p:${n}`, 1]));
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
    const { broker, publish, view: viewOf, counts } = await makeWorld();
    for (const topic of ['p:1', 'p:2', 'p:3', 'q']) await publish(topic, {}, {}, {});
    const cursor = cursorNow(broker.commits);
    await publish('p:2');
    const { epoch } = topicOf(broker, 'p:1');
    const positions = [
      { topic: 'p:1', epoch, offset: 1 },
      { topic: 'p:9', epoch, offset: 1 },
      { topic: 'q', epoch, offset: 1 },
    ];
    const options = { broker, modeOf: () => 'stream' as const, metrics: counts.metrics, listedMax: 1000 };
    const { backlog, result } = startPattern(viewOf('p:*'), { topic: 'p:*', cursor, positions }, options);
    expect(result).toMatchObject({
      recovered: true,
      topics: [
        { topic: 'p:1', epoch, offset: 1, recovered: true },
        { topic: 'p:9', epoch: '', offset: 0, recovered: false },
      ],
    });
    const found = new Map<string, number>();
    for (let item = backlog.current; item !== undefined; item = backlog.current) {
      if (item instanceof TopicBacklog) found.set(item.feed.topic.name, item.position);
      backlog.advance();
    }
    expect(Object.fromEntries(found)).toEqual({ 'p:1': 1, 'p:2': 3 });
  });

  test('gets all values of a state topic that began anew since, as its mode and its numbering are news', async () => {
    const { broker, publish, view: viewOf, counts } = await makeWorld({ topic: { mode: 'state' } });
    await publish('p:1', { key: 'a' });
    const cursor = cursorNow(broker.commits);
    // The engine had dropped its numbering.
    broker.appended('p:1', 'new', [stored(2, { key: 'b' })]);
    const options = { broker, modeOf: () => 'state' as const, metrics: counts.metrics, listedMax: 1000 };
    const { backlog } = startPattern(viewOf('p:*'), { topic: 'p:*', cursor }, options);
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
    const { broker, publish, turns, view: viewOf, counts } = await makeWorld({ topic: { maxAgeMs: 100 } });
    await publish('p:1', {}, {}, {});
    const own = topicOf(broker, 'p:1').epoch;
    turns.advance(200);
    broker.sweep();
    expect(broker.find('p:1')).toBeUndefined();
    const options = { broker, modeOf: () => 'stream' as const, metrics: counts.metrics, listedMax: 1000 };
    const positions = [{ topic: 'p:1', epoch: numbering === 'own' ? own : numbering, offset }];
    const { result } = startPattern(viewOf('p:*'), { topic: 'p:*', positions }, options);
    expect(result.topics).toEqual([{ topic: 'p:1', epoch: own, offset: 3, mode: 'stream', ...told }]);
  },
);

test.each(['gone', 'subscribed to'])(
  'a topic that a client had and that is %s is named by its position',
  async (how) => {
    const { broker, view: viewOf, counts } = await makeWorld();
    if (how === 'subscribed to') broker.retain('p:1');
    const options = { broker, modeOf: () => 'stream' as const, metrics: counts.metrics, listedMax: 1000 };
    const positions = [{ topic: 'p:1', epoch: 'E', offset: 3 }];
    for (const cursor of [undefined, cursorNow(broker.commits), 'of another gateway']) {
      const { result } = startPattern(viewOf('p:*'), { topic: 'p:*', positions, cursor }, options);
      expect(result.topics).toMatchObject([{ topic: 'p:1', epoch: '', offset: 0, recovered: false }]);
    }
  },
);

test('a state topic that begins a new numbering before its turn comes is reset first', async () => {
  const { broker, publish, view: viewOf, counts } = await makeWorld({ topic: { mode: 'state' } });
  await publish('p:a', { key: 'k' });
  const options = { broker, modeOf: () => 'state' as const, metrics: counts.metrics, listedMax: 1000 };
  const { backlog, result } = startPattern(viewOf('p:*'), { topic: 'p:*' }, options);
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
    const { backlog } = startPattern(
      world.view('p:*'),
      { topic: 'p:*', positions },
      { broker: world.broker, modeOf: () => 'stream', metrics: world.counts.metrics, listedMax: 0 },
    );
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
