import { describe, expect, test, vi } from 'vitest';
import { whenDone } from '../../src/awaitable.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SluiceError } from '../../src/errors.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { Acknowledged } from '../../src/topics/acknowledged.ts';
import type {
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  Numbering,
  StoredTopic,
} from '../../src/topics/engine.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import { valueBytesOf } from '../../src/topics/state.ts';
import type { Topic } from '../../src/topics/topic.ts';
import {
  answered,
  FakeClock,
  fields,
  json,
  openBroker,
  publishOne,
  stored,
  summary,
  WaitingEngine,
} from './fixtures.ts';

function topicOf(found: Topic | undefined): Topic {
  if (found === undefined) throw new Error('no such topic');
  return found;
}

function manyKeys(count: number, prefix = 'k'): PublishFields[] {
  return Array.from({ length: count }, (_, i) => fields('state', { key: `${prefix}${i}` }));
}

describe('publishing', () => {
  test('returns an outcome for each in order, faults among them', async () => {
    const { broker, counts } = await openBroker();
    const outcomes = await broker.publish([
      fields('a'),
      fields('not a topic'),
      fields('a'),
      fields('b', { type: '' }),
      fields('b'),
    ]);
    expect(summary(outcomes)).toEqual([1, 'invalid_topic', 2, 'invalid_type', 1]);
    expect([counts.of('publicationsTotal'), counts.of('publishErrorsTotal', 'invalid_topic')]).toEqual([
      3, 1,
    ]);
  });

  test('publishing nothing returns nothing and calls no engine', async () => {
    const { broker, counts } = await openBroker();
    expect(await broker.publish([])).toEqual([]);
    expect(counts.values('engineAppendSeconds')).toEqual([]);
  });

  test('tells the listener before the publisher has the outcome', async () => {
    const { broker, listener } = await openBroker();
    const published = whenDone(broker.publish([fields('a'), fields('b')]), () => listener.heard.length);
    expect(await published).toBe(2);
  });

  test('fills in the clock where the publisher gave no timestamp', async () => {
    const { broker, listener, clock } = await openBroker();
    await broker.publish([fields('a'), fields('a', { timestampMs: 5 })]);
    expect(listener.publications.map(({ timestampMs }) => timestampMs)).toEqual([clock.nowMs, 5]);
  });

  test.each([5, 9_000_000_000_000])(
    'TTLs and ages do not follow the publisher’s timestamp, %i',
    async (timestampMs) => {
      const { broker, clock } = await openBroker({ topic: { maxAgeMs: 200 } });
      await broker.publish([fields('a', { timestampMs, ttlMs: 100 }), fields('a', { timestampMs })]);
      const offsets = async () => (await broker.history('a', 0, 10)).publications.map(({ offset }) => offset);
      clock.advance(99);
      expect(await offsets()).toEqual([1, 2]);
      clock.advance(1);
      expect(await offsets()).toEqual([2]);
      clock.advance(100);
      expect(await offsets()).toEqual([2]);
      clock.advance(1);
      expect(await offsets()).toEqual([]);
    },
  );

  test('the topic was last published to when it was, not when the publisher says', async () => {
    const { broker, clock } = await openBroker();
    await broker.publish([fields('a', { timestampMs: 5 })]);
    expect(broker.find('a')?.lastPublishedAtMs).toBe(clock.nowMs);
  });

  test('fills in the TTL of the namespace where the publisher gave none', async () => {
    const { broker, listener, clock } = await openBroker({ topic: { ttlMs: 100 } });
    await broker.publish([fields('a'), fields('a', { ttlMs: 7 })]);
    expect(listener.publications.map(({ expiresAtMs }) => expiresAtMs - clock.nowMs)).toEqual([100, 7]);
  });

  test('returns the first position for duplicates, and counts them', async () => {
    const { broker, counts, listener } = await openBroker();
    await publishOne(broker, fields('a', { messageId: 'm' }));
    const again = await publishOne(broker, fields('a', { messageId: 'm' }));
    expect(again).toMatchObject({ ok: true, offset: 1, duplicate: true });
    expect([counts.of('publishDuplicatesTotal'), listener.publications.length]).toEqual([1, 1]);
  });
});

describe('the limit of topics', () => {
  test('a new topic is taken below it and refused at it; known ones go on', async () => {
    const { broker } = await openBroker({ topicsMax: 2 });
    expect(summary(await broker.publish([fields('a'), fields('b'), fields('c')]))).toEqual([
      1,
      1,
      'too_many_topics',
    ]);
    expect(summary(await broker.publish([fields('c'), fields('a')]))).toEqual(['too_many_topics', 2]);
    expect(broker.size).toBe(2);
  });

  test('a topic that one call has begun stays open to that call after another was refused', async () => {
    const { broker } = await openBroker({ topicsMax: 1 });
    const outcomes = await broker.publish([fields('a'), fields('b'), fields('a')]);
    expect(summary(outcomes)).toEqual([1, 'too_many_topics', 2]);
  });

  test('Sluice’s own topics always have room: broadcasts and the probe go on', async () => {
    const { broker } = await openBroker({ topicsMax: 1 });
    await broker.publish([fields('a')]);
    expect(summary(await broker.publish([fields('$all')]))).toEqual([1]);
    expect(await broker.probe()).toBeUndefined();
  });

  test('Sluice’s own topics take no place from others', async () => {
    const { broker } = await openBroker({ topicsMax: 1 });
    await broker.publish([fields('$all')]);
    await broker.probe();
    expect(summary(await broker.publish([fields('a'), fields('b')]))).toEqual([1, 'too_many_topics']);
    expect(broker.size).toBe(1);
  });

  test('Sluice’s own topics take no place when only their message ids are left', async () => {
    const { broker, clock } = await openBroker({ topicsMax: 1, topic: { maxAgeMs: 100 } });
    await publishOne(broker, fields('$all', { messageId: 'm' }));
    clock.advance(101);
    broker.sweep();
    expect([broker.find('$all')?.holdsContent, broker.size]).toEqual([false, 0]);
  });

  test('a topic that was removed is in no list of topics that have changed', async () => {
    const { broker, clock } = await openBroker({ topic: { maxAgeMs: 100 } });
    for (const name of ['a', 'b', 'c']) await publishOne(broker, fields(name));
    broker.retain('b');
    clock.advance(101);
    broker.sweep();
    const names = (topics: Iterable<{ readonly name: string }>) => [...topics].map(({ name }) => name);
    expect(names(broker.commits.changedAfter(0))).toEqual(['b']);
    expect(names(broker.commits.publishedAfter(0))).toEqual(['b']);
  });

  test('topics that are only subscribed to take no place, and get one when they are published to', async () => {
    const { broker } = await openBroker({ topicsMax: 3 });
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) broker.retain(name);
    expect([broker.size, summary(await broker.publish([fields('new'), fields('a')]))]).toEqual([0, [1, 1]]);
    const outcomes = await broker.publish(names.map((name) => fields(name)));
    expect(summary(outcomes)).toEqual([2, 1, 'too_many_topics', 'too_many_topics']);
    expect(broker.size).toBe(3);
  });

  test('a topic gives its place back when its content is gone, though it is subscribed to', async () => {
    const { broker, clock } = await openBroker({ topicsMax: 1, topic: { maxAgeMs: 100 } });
    broker.retain('a');
    await broker.publish([fields('a')]);
    clock.advance(101);
    broker.sweep();
    expect([broker.size, summary(await broker.publish([fields('b')]))]).toEqual([0, [1]]);
    expect(summary(await broker.publish([fields('a'), fields('b')]))).toEqual(['too_many_topics', 2]);
  });

  test('an empty topic keeps its place while its message ids live, and is still published to', async () => {
    const { broker, clock } = await openBroker({ topicsMax: 1, topic: { maxAgeMs: 100 } });
    const publish = (topic: string, messageId?: string) => publishOne(broker, fields(topic, { messageId }));
    await publish('a', 'm');
    clock.advance(101);
    broker.sweep();
    expect(broker.size).toBe(1);
    expect([await publish('b'), await publish('a')]).toMatchObject([{ ok: false }, { ok: true, offset: 2 }]);
    expect(broker.size).toBe(1);
    clock.advance(300_000);
    broker.sweep();
    expect(broker.size).toBe(0);
    expect(await publish('b')).toMatchObject({ ok: true });
  });

  test('message ids hold no place of a topic that is subscribed to and empty', async () => {
    const { broker, clock } = await openBroker({ topicsMax: 1, topic: { maxAgeMs: 100 } });
    await publishOne(broker, fields('a', { messageId: 'm' }));
    const topic = broker.retain('a');
    clock.advance(101);
    broker.sweep();
    expect([broker.size, summary(await broker.publish([fields('b')]))]).toEqual([0, [1]]);
    broker.release(topic);
    broker.sweep();
    expect([broker.size, summary(await broker.publish([fields('c')]))]).toEqual([2, ['too_many_topics']]);
  });

  test('a topic whose ring gave way keeps its place until it is removed', async () => {
    const { broker } = await openBroker({ topicsMax: 2, historyMaxBytes: 1 });
    const publish = async (name: string) => summary(await broker.publish([fields(name)]));
    expect([await publish('a'), await publish('b'), broker.size]).toEqual([[1], [1], 2]);
    expect([await publish('c'), await publish('a')]).toEqual([['too_many_topics'], [2]]);
    broker.sweep();
    expect([broker.size, await publish('c'), await publish('d')]).toEqual([1, [1], ['too_many_topics']]);
  });
});

describe('the limit of topics, with an engine that takes its time', () => {
  async function waiting(topicsMax: number) {
    const engine = new WaitingEngine({ isState: () => false });
    return { engine, ...(await openBroker({ engine, topicsMax })) };
  }

  test('topics under way take their places, once each', async () => {
    const { broker, engine } = await waiting(2);
    const publishes = ['a', 'a', 'b', 'c', 'b'].map((name) => broker.publish([fields(name)]));
    await engine.commit();
    expect((await Promise.all(publishes)).map((outcomes) => summary(outcomes)[0])).toEqual([
      1,
      2,
      1,
      'too_many_topics',
      2,
    ]);
    expect(broker.size).toBe(2);
  });

  test('a place is kept until the last publish to the topic is answered', async () => {
    const { broker, engine } = await waiting(1);
    const failing = { append: async () => [{ ok: false as const, error: new SluiceError('shutting_down') }] };
    const append = engine.append.bind(engine);
    engine.append = failing.append as typeof engine.append;
    const refused = broker.publish([fields('a')]);
    engine.append = append;
    const publish = broker.publish([fields('a')]);
    expect(summary(await refused)).toEqual(['shutting_down']);
    expect(summary(await broker.publish([fields('b')]))).toEqual(['too_many_topics']);
    await engine.commit();
    expect([summary(await publish), broker.size]).toEqual([[1], 1]);
  });

  test('a topic that the engine could not begin gives its place back', async () => {
    const { broker, engine } = await waiting(1);
    const publish = broker.publish([fields('a')]);
    expect(summary(await broker.publish([fields('b')]))).toEqual(['too_many_topics']);
    await engine.close();
    await engine.commit();
    expect([summary(await publish), broker.size]).toEqual([['shutting_down'], 0]);
    const other = broker.publish([fields('b')]);
    await engine.commit();
    expect(summary(await other)).toEqual(['shutting_down']);
  });

  test('a topic that has begun takes one place, also before its publisher has the outcome', async () => {
    const { broker, engine, listener } = await waiting(2);
    let second: ReturnType<typeof broker.publish> = [];
    const appended = listener.appended.bind(listener);
    listener.appended = (topic, publications) => {
      appended(topic, publications);
      if (topic.name === 'a') second = broker.publish([fields('b')]);
    };
    void broker.publish([fields('a')]);
    await engine.commit();
    await engine.commit();
    expect(summary(await second)).toEqual([1]);
  });

  test('Sluice’s own topics take none while they are under way', async () => {
    const { broker, engine } = await waiting(1);
    const publishes = ['$all', '$probe', 'a'].map((name) => broker.publish([fields(name)]));
    await engine.commit();
    expect((await Promise.all(publishes)).map(summary)).toEqual([[1], [1], [1]]);
  });

  test('outcomes come in the order of the publishes, with what was refused among them', async () => {
    const { broker, engine } = await waiting(1);
    const publish = broker.publish(['not a topic', 'a', 'b', 'a', '', 'a'].map((name) => fields(name)));
    await engine.commit();
    expect(summary(await publish)).toEqual(['invalid_topic', 1, 'too_many_topics', 2, 'invalid_topic', 3]);
  });
});

describe('the limit of keys', () => {
  test('a state topic takes 10 000 keys and no more; known keys and removals go on', async () => {
    const { broker } = await openBroker();
    const outcomes = await broker.publish(manyKeys(9_999));
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    expect(summary(await broker.publish([fields('state', { key: 'last' })]))).toEqual([10_000]);
    expect(
      summary(
        await broker.publish([
          fields('state', { key: 'new' }),
          fields('state', { key: 'k0' }),
          fields('state', { key: 'k1', removed: true }),
        ]),
      ),
    ).toEqual(['too_many_keys', 10_001, 10_002]);
    expect(summary(await broker.publish([fields('state', { key: 'new' })]))).toEqual([10_003]);
  });

  test('holds for the publishes of one call together', async () => {
    const { broker } = await openBroker();
    await broker.publish(manyKeys(9_999));
    const outcomes = await broker.publish([...manyKeys(2, 'more'), fields('state', { key: 'more0' })]);
    expect(summary(outcomes)).toEqual([10_000, 'too_many_keys', 10_001]);
  });

  test('holds for the very first call to a topic', async () => {
    const { broker } = await openBroker();
    const outcomes = await broker.publish(manyKeys(10_001));
    expect(summary(outcomes.slice(-2))).toEqual([10_000, 'too_many_keys']);
    expect(broker.find('state')?.state?.size).toBe(10_000);
  });

  test('a stream has no such limit', async () => {
    const { broker } = await openBroker();
    const publishes = Array.from({ length: 10_001 }, (_, i) => fields('stream', { key: `k${i}` }));
    expect(summary((await broker.publish(publishes)).slice(-1))).toEqual([10_001]);
  });
});

describe('the budget of bytes', () => {
  test('bytes are those of all rings and states', async () => {
    const { broker, listener } = await openBroker();
    await broker.publish([fields('a'), fields('state', { key: 'k', payload: json('x'.repeat(50)) })]);
    const [a, s] = listener.publications;
    const value = s?.bytes ?? 0;
    expect(broker.bytes).toBe((a?.bytes ?? 0) + value + valueBytesOf(value));
  });

  test('tags count, as they are kept too', () => {
    const tags = { ['n'.repeat(100)]: 'v'.repeat(100) };
    expect(stored(1, { tags }).bytes - stored(1).bytes).toBe(200);
  });

  test('the rings of idle topics go first; epoch, offset and state stay', async () => {
    const size = stored(1, { payload: json('x'.repeat(100)) }).bytes;
    const value = valueBytesOf(size);
    const { broker, counts } = await openBroker({ historyMaxBytes: 4 * size + value });
    const large = { payload: json('x'.repeat(100)) };
    await broker.publish([fields('state', large), fields('idle', large), fields('idle', large)]);
    const { epoch } = topicOf(broker.find('idle'));
    await broker.publish([fields('busy', large)]);
    expect([counts.of('ringEvictionsTotal', 'total'), broker.bytes]).toEqual([0, 4 * size + value]);
    await broker.publish([fields('busy', large)]);
    expect(counts.of('ringEvictionsTotal', 'total')).toBe(1);
    const state = topicOf(broker.find('state'));
    expect([state.ring.count, state.state?.size, state.ring.newest]).toEqual([0, 1, 1]);
    await broker.publish([fields('busy', large)]);
    const idle = topicOf(broker.find('idle'));
    expect([idle.ring.count, idle.position]).toEqual([0, { epoch, offset: 2 }]);
    expect([broker.find('busy')?.ring.count, broker.bytes]).toEqual([3, 3 * size + value]);
  });

  test('the topic that is being published to keeps what it just got', async () => {
    const { broker } = await openBroker({ historyMaxBytes: 1 });
    await broker.publish([fields('a'), fields('b')]);
    expect([broker.find('a')?.ring.count, broker.find('b')?.ring.count]).toEqual([0, 1]);
  });

  test('a topic whose ring gave way counts as used again once it is published to', async () => {
    const size = stored(1).bytes;
    const { broker } = await openBroker({ historyMaxBytes: 2 * size });
    const counts = () => ['a', 'b', 'c'].map((name) => broker.find(name)?.ring.count ?? 0);
    await broker.publish([fields('a'), fields('b'), fields('c')]);
    expect(counts()).toEqual([0, 1, 1]);
    await broker.publish([fields('b'), fields('a')]);
    expect(counts()).toEqual([1, 0, 0]);
    await broker.publish([fields('b')]);
    expect(counts()).toEqual([1, 1, 0]);
  });

  test('states take from it: the rings give way, the values stay', async () => {
    const size = stored(1, { key: 'k' }).bytes;
    const most = 2 * (size + valueBytesOf(size));
    const { broker, counts } = await openBroker({ historyMaxBytes: most });
    await broker.publish([fields('a'), fields('state', { key: 'k' })]);
    expect(counts.of('ringEvictionsTotal', 'total')).toBe(0);
    await broker.publish([fields('state', { key: 'l' })]);
    expect([broker.find('a')?.ring.count, broker.find('state')?.ring.count]).toEqual([0, 2]);
    expect(broker.bytes).toBe(most);
  });

  test('a state that would alone exceed it grows no more; what it has may change, shrink and go', async () => {
    const value = (key: string, length: number) =>
      fields('state', { key, payload: json('x'.repeat(length)) });
    const size = valueBytesOf(stored(1, value('k', 10)).bytes);
    const { broker } = await openBroker({ historyMaxBytes: 3 * size });
    expect(summary(await broker.publish(['a', 'b', 'c'].map((key) => value(key, 10))))).toEqual([1, 2, 3]);
    const outcomes = await broker.publish([
      value('d', 0),
      value('c', 11),
      value('c', 10),
      value('c', 9),
      value('c', 10),
      value('c', 11),
      fields('a'),
    ]);
    expect(summary(outcomes)).toEqual(['too_many_keys', 'too_many_keys', 4, 5, 6, 'too_many_keys', 1]);
    expect([...topicOf(broker.find('state')).snapshot(0)].map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    expect(summary(await broker.publish([fields('state', { key: 'a', removed: true })]))).toEqual([7]);
    expect(summary(await broker.publish([value('d', 10), value('e', 0)]))).toEqual([8, 'too_many_keys']);
  });

  test('frees the bytes of values that are removed, that expire, or that a reset drops', async () => {
    const size = valueBytesOf(stored(1, { key: 'k' }).bytes);
    const { broker, clock } = await openBroker({ historyMaxBytes: size });
    const publish = async (key: string, more: Partial<PublishFields> = {}) =>
      (await publishOne(broker, fields('state', { key, ...more }))).ok;
    expect(await publish('a', { ttlMs: 100 })).toBe(true);
    expect(await publish('b')).toBe(false);
    clock.advance(100);
    broker.sweep();
    expect(await publish('b')).toBe(true);
    broker.reset('state', 'other', 3);
    expect(broker.bytes).toBe(0);
  });

  test('reading history of what has become too old gives its bytes back', async () => {
    const { broker, clock } = await openBroker({ topic: { maxAgeMs: 100 } });
    await broker.publish([fields('a'), fields('a')]);
    clock.advance(101);
    await broker.history('a', undefined, 10);
    expect([broker.find('a')?.ring.count, broker.bytes]).toEqual([0, 0]);
  });

  test('a reset gives the bytes back', async () => {
    const { broker, listener } = await openBroker();
    await broker.publish([fields('state', { key: 'k' })]);
    broker.reset('state', 'other', 7);
    expect(broker.bytes).toBe(0);
    expect(broker.find('state')?.position).toEqual({ epoch: 'other', offset: 7 });
    expect(listener.heard.at(-1)).toEqual({ event: 'reset', topic: 'state' });
  });
});

describe('history', () => {
  async function filled() {
    const opened = await openBroker({ topic: { maxPublications: 5 } });
    await opened.broker.publish(Array.from({ length: 8 }, () => fields('a')));
    return opened;
  }

  test.each([
    [undefined, 10, { after: 3, upto: 8, more: false, missing: undefined }],
    [undefined, 2, { after: 3, upto: 5, more: true, missing: undefined }],
    [3, 5, { after: 3, upto: 8, more: false, missing: undefined }],
    [2, 2, { after: 3, upto: 5, more: true, missing: { after: 2, upto: 3 } }],
    [0, 100, { after: 3, upto: 8, more: false, missing: { after: 0, upto: 3 } }],
    [6, 1, { after: 6, upto: 7, more: true, missing: undefined }],
    [8, 10, { after: 8, upto: 8, more: false, missing: undefined }],
    [99, 10, { after: 8, upto: 8, more: false, missing: undefined }],
  ])('after %s, at most %i', async (after, limit, page) => {
    const { broker } = await filled();
    const { publications, epoch, ...rest } = await broker.history('a', after, limit);
    expect(rest).toEqual(page);
    expect(epoch).toBe(broker.find('a')?.epoch);
    expect(publications.map(({ offset }) => offset)).toEqual(
      Array.from({ length: page.upto - page.after }, (_, i) => page.after + 1 + i),
    );
  });

  test.each([
    [1, 1],
    [19, 2],
    [20, 2],
    [21, 3],
  ])('ends with the publication that makes it %i bytes large', async (maxBytes, count) => {
    const { broker } = await openBroker();
    await broker.publish(Array.from({ length: 4 }, () => fields('a', { payload: json('x'.repeat(8)) })));
    const page = await broker.history('a', 0, 10, maxBytes);
    expect([page.publications.length, page.upto, page.more]).toEqual([count, count, true]);
    expect(await broker.history('a', page.upto, 10)).toMatchObject({ after: count, upto: 4, more: false });
  });

  test('leaves out what has expired, and still covers it', async () => {
    const { broker, clock } = await openBroker();
    await broker.publish([fields('a', { ttlMs: 10 }), fields('a')]);
    clock.advance(10);
    const page = await broker.history('a', 0, 10);
    expect([page.publications.map(({ offset }) => offset), page.upto]).toEqual([[2], 2]);
  });

  test('an unknown topic has the epoch "" and offset 0, and asking stores nothing', async () => {
    const { broker } = await openBroker();
    expect(await broker.history('unknown', 5, 10)).toMatchObject({
      epoch: '',
      after: 0,
      upto: 0,
      more: false,
    });
    expect([broker.find('unknown'), broker.size]).toEqual([undefined, 0]);
  });

  test.each([
    [undefined, undefined],
    [0, { after: 0, upto: 3 }],
    [2, { after: 2, upto: 3 }],
    [3, undefined],
    [4, undefined],
  ])('of a topic whose content is gone, after %s, names what is gone', async (after, missing) => {
    const { broker, clock } = await openBroker({ topic: { maxAgeMs: 100 } });
    await broker.publish([fields('a'), fields('a'), fields('a')]);
    const epoch = broker.find('a')?.epoch;
    clock.advance(101);
    const held = await broker.history('a', after, 10);
    broker.sweep();
    expect(broker.find('a')).toBeUndefined();
    expect(await broker.history('a', after, 10)).toEqual(held);
    expect(held).toEqual({ epoch, after: 3, upto: 3, more: false, missing, publications: [] });
    expect([broker.find('a'), broker.size]).toEqual([undefined, 0]);
  });

  test('a topic that is only subscribed to has the epoch "" too', async () => {
    const { broker } = await openBroker();
    broker.retain('a');
    expect(await broker.history('a', undefined, 10)).toMatchObject({ epoch: '', upto: 0 });
    expect([...broker.topics()]).toEqual([]);
  });
});

describe('holding a topic', () => {
  test('an empty topic goes with the last who held it', async () => {
    const { broker } = await openBroker();
    const topic = broker.retain('a');
    expect(broker.retain('a')).toBe(topic);
    broker.release(topic);
    expect(broker.find('a')).toBe(topic);
    broker.release(topic);
    expect(broker.find('a')).toBeUndefined();
  });

  test('a topic whose content is gone continues its numbering', async () => {
    const { broker, clock } = await openBroker({ topic: { maxAgeMs: 100 } });
    await broker.publish([fields('a'), fields('a')]);
    const position = broker.find('a')?.position;
    clock.advance(101);
    broker.sweep();
    const topic = broker.retain('a');
    expect([topic.position, topic.seq, topic.ring.evictedSeq, topic.holdsContent]).toEqual([
      position,
      2,
      2,
      false,
    ]);
    broker.release(topic);
    broker.sweep();
    expect([broker.find('a'), broker.retain('a').position]).toEqual([undefined, position]);
  });

  test('an unknown topic is told up to which commit it may have had another numbering', async () => {
    const clock = new FakeClock();
    const engine = new MemoryEngine({ nowMs: clock.read, isState: () => false, numberingsMax: 1 });
    const { broker } = await openBroker({
      engine,
      nowMs: clock.read,
      monotonicMs: clock.read,
      topic: { maxAgeMs: 100 },
    });
    expect(broker.retain('first').bornAfterSeq).toBe(0);
    await broker.publish([fields('a'), fields('b')]);
    clock.advance(101);
    broker.sweep();
    expect([broker.retain('a'), broker.retain('b')]).toMatchObject([
      { epoch: '', seq: 0, bornAfterSeq: 1 },
      { seq: 2, bornAfterSeq: 0 },
    ]);
  });

  test('a topic whose numbering the engine dropped while it was held begins anew, and its listener hears of that', async () => {
    const clock = new FakeClock();
    const engine = new MemoryEngine({ nowMs: clock.read, isState: () => false, numberingsMax: 1 });
    const times = { nowMs: clock.read, monotonicMs: clock.read };
    const { broker, listener } = await openBroker({ engine, ...times, topic: { maxAgeMs: 100 } });
    await broker.publish([fields('held'), fields('held')]);
    clock.advance(101);
    broker.sweep();
    const topic = broker.retain('held');
    const former = topic.position;
    await broker.publish([fields('a'), fields('b')]);
    clock.advance(101);
    broker.sweep();
    const before = listener.heard.length;
    expect(summary(await broker.publish([fields('held'), fields('held')]))).toEqual([1, 2]);
    expect(summary(await broker.publish([fields('held')]))).toEqual([3]);
    expect(listener.heard.slice(before)).toEqual([
      { event: 'reset', topic: 'held' },
      { event: 'appended', topic: 'held', offsets: [1, 2] },
      { event: 'appended', topic: 'held', offsets: [3] },
    ]);
    expect([former.offset, topic.epoch === former.epoch]).toEqual([2, false]);
    // A client that has had all up to the second commit has had the former numbering; one before it has not.
    expect(topic).toMatchObject({ startOffset: 0, bornAfterSeq: 2, ring: { newest: 3 } });
  });

  test('a topic without a numbering may have had one that its engine has missed', async () => {
    const clock = new FakeClock();
    const engine = new MemoryEngine({ nowMs: clock.read, isState: () => false, numberingsMax: 0 });
    const times = { nowMs: clock.read, monotonicMs: clock.read };
    const { broker } = await openBroker({ engine, ...times, topic: { maxAgeMs: 100 } });
    const empty = broker.retain('empty');
    await broker.publish([fields('a')]);
    clock.advance(101);
    broker.sweep();
    await broker.publish([fields('b')]);
    broker.degraded(new Error('away'));
    broker.degraded(undefined);
    expect(empty.bornAfterSeq).toBe(0);
    broker.missed(engine);
    expect([empty.bornAfterSeq, broker.find('b')?.bornAfterSeq]).toEqual([1, 1]);
  });

  test('a topic that has an epoch stays', async () => {
    const { broker } = await openBroker();
    const topic = broker.retain('a');
    await broker.publish([fields('a')]);
    broker.release(topic);
    expect(broker.find('a')).toBe(topic);
  });
});

describe('sweep', () => {
  const aged = { topic: { maxAgeMs: 100 } };

  test('evicts what is too old, and removes a topic without content', async () => {
    const { broker, clock, listener, counts } = await openBroker(aged);
    await broker.publish([fields('a')]);
    clock.advance(100);
    broker.sweep();
    expect(broker.find('a')?.ring.count).toBe(1);
    clock.advance(1);
    broker.sweep();
    expect([broker.find('a'), broker.bytes, counts.of('ringEvictionsTotal', 'age')]).toEqual([
      undefined,
      0,
      1,
    ]);
    expect(listener.heard.at(-1)).toEqual({ event: 'removed', topic: 'a' });
  });

  test('a topic that came back continues its numbering', async () => {
    const { broker, clock } = await openBroker(aged);
    const first = await publishOne(broker, fields('a'));
    clock.advance(101);
    broker.sweep();
    const second = await publishOne(broker, fields('a'));
    expect([first, second]).toMatchObject([
      { ok: true, offset: 1 },
      { ok: true, offset: 2 },
    ]);
    expect(second).toMatchObject({ epoch: first.ok ? first.epoch : '' });
    expect(broker.find('a')).toMatchObject({ seq: 2, ring: { reach: 1, newest: 2, evictedSeq: 1 } });
  });

  test('a topic stays while it is held, and keeps its numbering', async () => {
    const { broker, clock } = await openBroker(aged);
    const topic = broker.retain('a');
    await broker.publish([fields('a')]);
    clock.advance(101);
    broker.sweep();
    expect([broker.find('a'), topic.ring.count, topic.ring.newest]).toEqual([topic, 0, 1]);
    broker.release(topic);
    broker.sweep();
    expect(broker.find('a')).toBeUndefined();
  });

  test('a topic stays while message ids live, so that a repeat is still known', async () => {
    const { broker, clock } = await openBroker(aged);
    await publishOne(broker, fields('a', { messageId: 'm' }));
    clock.advance(299_999);
    broker.sweep();
    expect(await publishOne(broker, fields('a', { messageId: 'm' }))).toMatchObject({ duplicate: true });
    clock.advance(1);
    broker.sweep();
    expect(broker.find('a')).toBeUndefined();
  });

  test('a state topic stays while it has keys, though its ring is empty', async () => {
    const { broker, clock } = await openBroker(aged);
    await broker.publish([fields('state', { key: 'k' })]);
    clock.advance(101);
    broker.sweep();
    expect(broker.find('state')?.state?.size).toBe(1);
    await broker.publish([fields('state', { key: 'k', removed: true })]);
    clock.advance(101);
    broker.sweep();
    expect(broker.find('state')).toBeUndefined();
  });

  test('an expired key is removed by a publication, in order, with its tags', async () => {
    const { broker, clock, listener, counts } = await openBroker();
    await broker.publish([
      fields('state', { key: 'a', ttlMs: 100, tags: { room: '1' }, type: 'seat' }),
      fields('state', { key: 'b' }),
    ]);
    clock.advance(99);
    broker.sweep();
    expect(listener.publications).toHaveLength(2);
    clock.advance(1);
    broker.sweep();
    expect(listener.publications.slice(2)).toMatchObject([
      { offset: 3, key: 'a', removed: true, tags: { room: '1' }, type: 'seat' },
    ]);
    await answered();
    expect([broker.find('state')?.state?.size, counts.of('ringEvictionsTotal', 'ttl')]).toEqual([1, 1]);
    broker.sweep();
    expect(listener.publications).toHaveLength(3);
  });

  test('an expired value without a key is removed too', async () => {
    const { broker, clock } = await openBroker();
    await broker.publish([fields('state', { ttlMs: 1 })]);
    clock.advance(1);
    broker.sweep();
    expect(broker.find('state')?.state?.size).toBe(0);
  });

  test('the removal itself never expires: who was away must hear of it', async () => {
    const { broker, clock } = await openBroker({ topic: { ttlMs: 100 } });
    await broker.publish([fields('state', { key: 'a' })]);
    clock.advance(100);
    broker.sweep();
    clock.advance(10_000);
    const { publications } = await broker.history('state', 1, 10);
    expect(publications).toMatchObject([{ offset: 2, key: 'a', removed: true }]);
  });

  test('a snapshot leaves out what has expired and was not swept yet', async () => {
    const { broker, clock } = await openBroker();
    await broker.publish([fields('state', { key: 'a', ttlMs: 1 }), fields('state', { key: 'b' })]);
    clock.advance(1);
    const topic = topicOf(broker.find('state'));
    expect([...topic.snapshot(clock.nowMs)].map(({ key }) => key)).toEqual(['b']);
  });
});

describe('expiry with an engine that takes its time', () => {
  async function withExpired() {
    const engine = new WaitingEngine({ isState: () => true });
    const opened = await openBroker({ engine });
    const { broker, clock } = opened;
    void broker.publish([fields('state', { key: 'a', ttlMs: 100 }), fields('state', { key: 'b' })]);
    await engine.commit();
    clock.advance(100);
    return { engine, ...opened, state: topicOf(broker.find('state')).state };
  }

  test('is asked for once while it is under way', async () => {
    const { broker, engine, listener, counts } = await withExpired();
    for (let i = 0; i < 3; i++) broker.sweep();
    expect(engine.calls).toBe(1);
    await engine.commit();
    broker.sweep();
    expect(engine.calls).toBe(0);
    expect(listener.publications.map(({ offset, removed }) => [offset, removed])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, true],
    ]);
    expect(counts.of('ringEvictionsTotal', 'ttl')).toBe(1);
  });

  test.each(['before', 'after'])('leaves a newer value that is committed %s it', async (when) => {
    const { broker, engine, state, counts } = await withExpired();
    if (when === 'after') broker.sweep();
    const publish = broker.publish([fields('state', { key: 'a', ttlMs: 500 })]);
    if (when === 'before') broker.sweep();
    await engine.commit();
    const offset = when === 'before' ? 3 : 4;
    expect(summary(await publish)).toEqual([offset]);
    expect(state?.get('a')?.offset).toBe(offset);
    expect([state?.size, counts.of('ringEvictionsTotal', 'ttl')]).toEqual([2, offset - 3]);
  });

  test('asks anew at a later sweep when the engine could not do it, and not before', async () => {
    const { broker, engine, state, counts } = await withExpired();
    broker.sweep();
    await engine.close();
    await engine.commit();
    expect([
      engine.calls,
      state?.size,
      counts.of('engineRetriesTotal'),
      counts.of('publishErrorsTotal', 'shutting_down'),
    ]).toEqual([0, 2, 0, 0]);
    broker.sweep();
    expect(engine.calls).toBe(1);
  });

  test('is nothing to a topic that began anew meanwhile', async () => {
    const { broker, engine, state } = await withExpired();
    broker.sweep();
    broker.reset('state', 'other', 0);
    broker.appended('state', 'other', [stored(1, { key: 'a', ttlMs: 1 })]);
    expect(state?.size).toBe(1);
    await engine.close();
    await engine.commit();
    broker.sweep();
    expect([engine.calls, state?.get('a')?.offset]).toEqual([1, 1]);
  });
});

describe('the engine', () => {
  test('the probe is content when the feed has what was appended', async () => {
    const { broker } = await openBroker();
    expect(await broker.probe()).toBeUndefined();
  });

  test('the probe fails if the engine does not respond, and sends no more until it does', async () => {
    const engine = new WaitingEngine({ isState: () => false });
    const { broker, clock } = await openBroker({ engine });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const first = broker.probe();
      await vi.advanceTimersByTimeAsync(2000);
      expect(await first).toBe('the engine did not answer within 2000 ms');
      clock.advance(1000);
      expect(await broker.probe()).toBe('the engine does not answer');
      expect(engine.calls).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test('probes that come within a second share one', async () => {
    const { broker, clock } = await openBroker();
    await Promise.all([broker.probe(), broker.probe()]);
    clock.advance(999);
    await broker.probe();
    expect(broker.find('$probe')?.ring.newest).toBe(1);
    clock.advance(1);
    expect(await broker.probe()).toBeUndefined();
    expect(broker.find('$probe')?.ring.newest).toBe(2);
  });

  test('the probe says why the engine is degraded', async () => {
    const { broker, counts } = await openBroker();
    broker.degraded(new Error('the disk is full'));
    expect([await broker.probe(), counts.values('engineUp')]).toEqual(['the disk is full', [1, 0]]);
    broker.degraded(undefined);
    expect(await broker.probe()).toBeUndefined();
    expect(counts.values('engineUp')).toEqual([1, 0, 1]);
  });

  test('the probe fails while the feed has not had what was appended', async () => {
    class DeafEngine extends MemoryEngine {
      override open(): Promise<void> {
        return super.open({ appended: () => {}, reset: () => {}, degraded: () => {} });
      }
    }
    const { broker } = await openBroker({ engine: new DeafEngine({ isState: () => false }) });
    expect(await broker.probe()).toBe('the feed lags behind the engine');
  });

  test('the probe fails once the engine is closed', async () => {
    const { broker } = await openBroker();
    await broker.close();
    expect(await broker.probe()).toContain('shutting down');
  });

  /** Fails the first `failures` appends of each request's topic that is named `flaky`. */
  class FlakyEngine extends MemoryEngine {
    calls: number[] = [];
    failures: number;

    constructor(failures: number) {
      super({ isState: () => false });
      this.failures = failures;
    }

    override async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
      this.calls.push(requests.length);
      const outcomes: AppendOutcome[] = [];
      for (const request of requests) {
        if (request.fields.topic === 'flaky' && this.failures > 0) {
          this.failures--;
          outcomes.push({ ok: false, error: new SluiceError('engine_unavailable') });
        } else {
          outcomes.push(...(await super.append([request])));
        }
      }
      return outcomes;
    }
  }

  test('what it could not do is given to it again, alone, and answered in its place', async () => {
    const engine = new FlakyEngine(2);
    const waits: number[] = [];
    const wait = async (delayMs: number) => void waits.push(delayMs);
    const { broker, counts } = await openBroker({ engine, wait });
    const outcomes = await broker.publish([fields('a'), fields('flaky'), fields('a')]);
    expect([summary(outcomes), engine.calls, waits, counts.of('engineRetriesTotal')]).toEqual([
      [1, 1, 2],
      [3, 1, 1],
      [50, 200],
      2,
    ]);
  });

  test('after three more tries the publisher is told', async () => {
    const engine = new FlakyEngine(100);
    const { broker } = await openBroker({ engine });
    expect(summary(await broker.publish([fields('flaky')]))).toEqual(['engine_unavailable']);
    expect(engine.calls).toEqual([1, 1, 1, 1]);
  });
});

/** Has one topic in store, as an engine that was opened again. */
class RetainingEngine implements Engine {
  readonly name = 'retaining';
  readonly retains = true;
  readonly epoch = 'engine';
  readonly forgottenSeq = 0;
  readonly messageIdBytes = 0;
  readonly acknowledged = new Acknowledged();
  readonly kept = new Map<string, StoredTopic>();
  loads = 0;
  broken = false;
  #seq = 0;
  #feed: EngineFeed | undefined;

  async open(feed: EngineFeed): Promise<void> {
    this.#feed = feed;
  }

  get seq(): number {
    return this.#seq;
  }

  numbering(topic: string): Numbering | undefined {
    return this.kept.get(topic)?.publications.length === 0 ? this.kept.get(topic) : undefined;
  }

  numberings(): [] {
    return [];
  }

  async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    return requests.map(({ fields, publishedAtMs, acceptedAtMs }) => {
      const { epoch, offset } = this.kept.get(fields.topic) ?? { epoch: 'new', offset: 0 };
      const publication = new StoredPublication(fields, offset + 1, ++this.#seq, publishedAtMs, acceptedAtMs);
      this.kept.set(fields.topic, {
        ...{ epoch, offset: offset + 1, seq: this.#seq, bornAfterSeq: 0, evictedSeq: 0 },
        ...{ publications: [publication], state: [] },
      });
      this.#feed?.appended(fields.topic, epoch, [publication]);
      return { ok: true, epoch, offset: offset + 1, duplicate: false };
    });
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    this.loads++;
    if (this.broken) throw new Error('the disk is gone');
    const stored = this.kept.get(topic);
    return this.numbering(topic) === undefined ? stored : undefined;
  }

  forget(topic: string): boolean {
    const known = this.kept.get(topic);
    if (known !== undefined) this.kept.set(topic, { ...known, publications: [], state: [] });
    return true;
  }

  async close(): Promise<void> {}
}

describe('an engine that retains', () => {
  const content = () => ({ publications: [stored(6), stored(7)], state: [] });

  async function reopened(options: Parameters<typeof openBroker>[0] = {}) {
    const engine = new RetainingEngine();
    engine.kept.set('state', {
      epoch: 'old',
      offset: 7,
      seq: 7,
      bornAfterSeq: 0,
      evictedSeq: 0,
      publications: [stored(6), stored(7)],
      state: [stored(3, { key: 'a' }), stored(7)],
    });
    const opened = await openBroker({ engine, ...options });
    return { engine, ...opened };
  }

  test('a topic is loaded with its numbering, ring and state, once for all who ask', async () => {
    const { broker, engine } = await reopened();
    expect(broker.isLoaded('state')).toBe(false);
    const [topic, same] = await Promise.all([broker.load('state'), broker.load('state')]);
    expect([topic, engine.loads, broker.isLoaded('state')]).toEqual([same, 1, true]);
    expect([topic?.position, topic?.ring.reach, topic?.state?.size]).toEqual([
      { epoch: 'old', offset: 7 },
      5,
      2,
    ]);
    expect(broker.bytes).toBe(topic?.bytes);
  });

  test('publishing loads the topic first, so that its ring goes on where the engine is', async () => {
    const { broker } = await reopened();
    expect(summary(await broker.publish([fields('state', { key: 'b' })]))).toEqual([8]);
    const topic = topicOf(broker.find('state'));
    expect([topic.ring.reach, topic.ring.newest, topic.state?.size]).toEqual([5, 8, 3]);
  });

  test('a publish to a topic that can’t be loaded is refused, the others go on', async () => {
    const { broker, engine } = await reopened();
    await broker.publish([fields('known')]);
    engine.broken = true;
    expect(summary(await broker.publish([fields('state'), fields('known')]))).toEqual([
      'engine_unavailable',
      2,
    ]);
  });

  test('a topic that could not be loaded is loaded when it is asked for again', async () => {
    const { broker, engine } = await reopened();
    engine.broken = true;
    await expect(broker.load('state')).rejects.toThrow('the disk is gone');
    engine.broken = false;
    expect(await broker.load('state')).toMatchObject({ epoch: 'old' });
  });

  test('a topic that was removed is asked for anew: its old content is not answered', async () => {
    const { broker, engine, clock } = await reopened();
    const topic = topicOf(await broker.load('state'));
    broker.appended('state', 'old', [stored(8, { key: 'a', removed: true }), stored(9, { removed: true })]);
    clock.advance(3_600_001);
    broker.sweep();
    expect([broker.find('state'), broker.isLoaded('state'), engine.loads]).toEqual([undefined, false, 1]);
    expect(await broker.history('state', 6, 10)).toMatchObject({ epoch: 'old', missing: { after: 6 } });
    expect([engine.loads, await broker.load('state')]).toEqual([2, undefined]);
    engine.kept.set('state', { ...(engine.kept.get('state') as StoredTopic), epoch: 'new', ...content() });
    const again = topicOf(await broker.load('state'));
    expect([again === topic, again.epoch, engine.loads]).toEqual([false, 'new', 4]);
  });

  test('a ring that was loaded gives way to others', async () => {
    const size = stored(1).bytes;
    const { broker, engine } = await reopened({ historyMaxBytes: 3 * size });
    engine.kept.set('full', { ...(engine.kept.get('state') as StoredTopic), ...content() });
    const full = topicOf(await broker.load('full'));
    expect([full.ring.count, broker.bytes]).toEqual([2, 2 * size]);
    await broker.publish([fields('other')]);
    expect([full.ring.count, broker.bytes]).toEqual([2, 3 * size]);
    await broker.publish([fields('other')]);
    expect([full.ring.count, full.position.offset, broker.bytes]).toEqual([0, 7, 2 * size]);
  });

  test('a ring that is loaded last makes others give way', async () => {
    const size = stored(1).bytes;
    const { broker, engine } = await reopened({ historyMaxBytes: 3 * size });
    await broker.publish([fields('other'), fields('other')]);
    engine.kept.set('full', { ...(engine.kept.get('state') as StoredTopic), ...content() });
    await broker.load('full');
    expect([broker.find('other')?.ring.count, broker.bytes]).toEqual([0, 2 * size]);
  });

  test('topics that were loaded take places', async () => {
    const { broker } = await reopened({ topicsMax: 1 });
    await broker.load('state');
    expect([broker.size, summary(await broker.publish([fields('a')]))]).toEqual([1, ['too_many_topics']]);
  });

  test('asking for an unknown topic stores nothing', async () => {
    const { broker } = await reopened();
    expect(await broker.history('unknown', undefined, 10)).toMatchObject({ epoch: '', upto: 0 });
    expect(broker.size).toBe(0);
  });
});

test('readers are told the time of the wall clock, ages count on a clock that does not jump', async () => {
  const wall = new FakeClock(5_000_000);
  const { broker, clock } = await openBroker({ topic: { maxAgeMs: 1000 }, wallMs: wall.read });
  await broker.publish([fields('a'), fields('b', { timestampMs: 7 })]);
  const [published] = broker.find('a')?.ring.slice(0) ?? [];
  expect([published?.timestampMs, published?.publishedAtMs]).toEqual([5_000_000, clock.nowMs]);
  expect(broker.find('b')?.ring.slice(0)[0]?.timestampMs).toBe(7);
  wall.advance(3_600_000);
  broker.sweep();
  expect(broker.find('a')?.ring.count).toBe(1);
  expect([broker.wallMs(), broker.nowMs()]).toEqual([8_600_000, clock.nowMs]);
  clock.advance(1000);
  expect(broker.toWallMs(clock.nowMs - 1000)).toBe(8_599_000);
  clock.advance(1);
  broker.sweep();
  expect(broker.find('a')?.ring.count ?? 0).toBe(0);
});
