import { describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SluiceError } from '../../src/errors.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { valueBytesOf } from '../../src/topics/state.ts';
import {
  FakeClock,
  fields,
  json,
  openBroker,
  publishOne,
  stored,
  summary,
  topicOf,
  WaitingEngine,
} from './fixtures.ts';

function manyKeys(count: number, prefix = 'k'): PublishFields[] {
  return Array.from({ length: count }, (_, i) => fields('state', { key: `${prefix}${i}` }));
}

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
