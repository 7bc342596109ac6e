import { describe, expect, test } from 'vitest';
import { partBytes } from '../../src/topics/content-shares.ts';
import type { Payer } from '../../src/topics/payer.ts';
import { bytesOf } from '../../src/topics/publication.ts';
import { valueBytesOf } from '../../src/topics/state.ts';
import { fields, json, openBroker, stored, summary } from './fixtures.ts';

const user = (name: string): Payer => ({ account: `user ${name}`, isVerified: true });
const key: Payer = { account: 'key backend', isVerified: true, isOperator: true };
/** A thousand bytes, whatever the topic and the key. */
const large = (topic: string, name = '') =>
  fields(topic, { key: name.padStart(20), payload: json('x'.repeat(1000)) });

async function open(limits: { historyMaxBytes: number; historyMaxBytesPerClient: number }) {
  const { broker } = await openBroker(limits);
  const publish = async (payer: Payer | undefined, topic: string, name?: string) =>
    summary(await broker.publish([large(topic, name)], payer))[0];
  const ringsOf = (...topics: string[]) => topics.filter((topic) => broker.find(topic)?.ring.count);
  return { broker, publish, ringsOf };
}

/** What one such publication takes in a ring, and as a value. */
async function sizes() {
  const { broker } = await openBroker();
  const value = large('state:a', 'k');
  await broker.publish([large('a:1')]);
  return { ring: broker.find('a:1')!.bytes, value: valueBytesOf(bytesOf(value)) };
}

describe('what a client publishes', () => {
  const topics = ['1', '2', '3', '4'];

  /** Topics with a publication of the backend each, and a client that may keep two publications. */
  async function openWith(...names: string[]) {
    const { ring } = await sizes();
    const gateway = await open({
      historyMaxBytes: 100 * ring,
      historyMaxBytesPerClient: 2 * (ring + partBytes),
    });
    for (const name of names) await gateway.publish(key, name);
    return gateway;
  }

  test.each([
    ['below its share', 1, [2, 1, 1, 1]],
    ['at its share', 2, [2, 2, 1, 1]],
    ['above its share', 3, [1, 2, 2, 1]],
    ['at twice its share', 4, [1, 1, 2, 2]],
  ])('to topics of others, %s, takes as much from those it left longest ago', async (_, count, left) => {
    const { publish, broker, ringsOf } = await openWith('quiet', ...topics);
    for (const topic of topics.slice(0, count)) await publish(user('a'), topic);
    expect(topics.map((topic) => broker.find(topic)?.ring.count)).toEqual(left);
    expect(ringsOf('quiet')).toEqual(['quiet']);
  });

  test('evicts no more of a topic than it has published to it, and nothing once that is gone', async () => {
    const { publish, broker } = await openWith();
    for (let i = 0; i < 5; i++) await publish(key, '1');
    for (const topic of ['1', '2', '3']) await publish(user('a'), topic);
    expect(broker.find('1')?.ring.count).toBe(5);
    const aged = await openBroker({ historyMaxBytesPerClient: 1, topic: { maxPublications: 2 } });
    for (const payer of [user('a'), key, key]) await aged.broker.publish([large('1')], payer);
    await aged.broker.publish([large('2')], user('a'));
    expect(aged.broker.find('1')?.ring.count).toBe(2);
  });

  test('to topics that it made, takes the room of its own; keys and other clients have no part in it', async () => {
    const { publish, ringsOf } = await openWith('of:key');
    await publish(user('b'), 'of:b');
    for (const topic of ['a:1', 'a:2']) await publish(user('a'), topic);
    // Not charged to who made it.
    await publish(user('b'), 'a:1');
    expect(ringsOf('a:1', 'a:2')).toEqual(['a:1', 'a:2']);
    await publish(user('a'), 'a:3');
    expect(ringsOf('of:key', 'of:b', 'a:1', 'a:2', 'a:3')).toEqual(['of:key', 'of:b', 'a:1', 'a:2', 'a:3']);
    await publish(user('a'), 'a:4');
    expect(ringsOf('of:key', 'of:b', 'a:1', 'a:2', 'a:3', 'a:4')).toEqual([
      'of:key',
      'of:b',
      'a:1',
      'a:3',
      'a:4',
    ]);
    for (const topic of ['k:1', 'k:2', 'k:3']) await publish(key, topic);
    expect(ringsOf('k:1', 'k:2', 'k:3')).toEqual(['k:1', 'k:2', 'k:3']);
  });

  test('on another node is charged here, too', async () => {
    const { publish, broker, ringsOf } = await openWith('1', '2', '3', 'quiet');
    const { ring } = await sizes();
    const maker = { account: user('a').account, isVerified: true };
    broker.madeElsewhere(maker, [], [{ topic: '1', offset: 1, bytes: ring }]);
    broker.madeElsewhere(maker, [], [{ topic: 'unknown', offset: 1, bytes: ring }]);
    await publish(user('a'), '2');
    expect(ringsOf('1', '2', '3')).toEqual(['1', '2', '3']);
    await publish(user('a'), '3');
    expect(ringsOf('1', '2', '3', 'quiet')).toEqual(['2', '3', 'quiet']);
  });

  test.each<[string, (broker: Awaited<ReturnType<typeof openBroker>>['broker']) => Promise<unknown>]>([
    [
      'has gone from other topics than the one it left longest ago',
      async (broker) => {
        for (const topic of ['2', '3']) await broker.publish([large(topic)], user('a'));
        for (const topic of ['2', '3']) for (let i = 0; i < 3; i++) await broker.publish([large(topic)], key);
      },
    ],
    [
      'is long gone from a topic that it goes on publishing to',
      async (broker) => {
        for (let i = 0; i < 10; i++)
          for (const payer of [user('a'), key]) await broker.publish([large('2')], payer);
      },
    ],
    [
      'had another numbering',
      async (broker) => {
        for (let i = 0; i < 3; i++) await broker.publish([large('2')], user('a'));
        broker.reset('2', 'anew', 0);
        broker.appended('2', 'anew', [stored(1, large('2'))]);
      },
    ],
  ])('is no longer charged once it %s', async (_, publishMore) => {
    const { ring } = await sizes();
    const { broker } = await openBroker({
      historyMaxBytesPerClient: 4 * ring + 3 * partBytes,
      topic: { maxPublications: 3 },
    });
    await broker.publish([large('1')], user('a'));
    await publishMore(broker);
    broker.sweep();
    await broker.publish([large('4')], user('a'));
    expect(broker.find('1')?.ring.count).toBe(1);
  });

  test('does not make room in the only topic that it publishes to', async () => {
    const { publish, broker } = await openWith();
    for (let i = 0; i < 5; i++) await publish(user('a'), 'a');
    expect(broker.find('a')?.ring.count).toBe(5);
  });

  test('is no longer charged once it has aged', async () => {
    const { ring } = await sizes();
    const limits = { historyMaxBytesPerClient: 2 * (ring + partBytes), topic: { maxAgeMs: 1000 } };
    const { broker, clock } = await openBroker(limits);
    const publish = (topic: string) => broker.publish([large(topic)], user('a'));
    for (const topic of ['1', '2']) await publish(topic);
    clock.advance(1001);
    broker.sweep();
    await broker.publish([large('1')], key);
    for (const topic of ['3', '4']) await publish(topic);
    expect(['1', '3', '4'].map((topic) => broker.find(topic)?.ring.count)).toEqual([1, 1, 1]);
  });
});

describe('values', () => {
  /** How many of 40 values, each of a key of its own, are taken. */
  async function takes(publish: Awaited<ReturnType<typeof open>>['publish'], payer: Payer, topic: string) {
    const outcomes: unknown[] = [];
    for (let i = 0; i < 40; i++) outcomes.push(await publish(payer, topic, `${payer.account} ${i}`));
    const refused = outcomes.indexOf('too_many_keys');
    expect(new Set(outcomes.slice(refused))).toEqual(new Set(['too_many_keys']));
    return refused;
  }

  test.each([
    [40, 5, 5],
    [40, 30, 15],
  ])(
    'of %i that there is room for, and %i for each, a client may add values: %i',
    async (all, each, taken) => {
      const { value } = await sizes();
      const { publish } = await open({
        historyMaxBytes: all * value,
        historyMaxBytesPerClient: each * value,
      });
      expect(await takes(publish, user('a'), 'state:a')).toBe(taken);
      expect(await takes(publish, user('b'), 'state:b')).toBeGreaterThan(0);
      expect(await publish(key, 'state:k', 'k')).toBe(1);
    },
  );

  test('of topics of others are charged alike, until they are replaced or removed', async () => {
    const { value } = await sizes();
    const limits = { historyMaxBytes: 100 * value, historyMaxBytesPerClient: 5 * value };
    const { publish, broker } = await open(limits);
    expect(await publish(key, 'state:k', 'first')).toBe(1);
    expect(await takes(publish, user('a'), 'state:k')).toBe(5);
    expect(await takes(publish, user('b'), 'state:k')).toBe(5);
    expect(await publish(key, 'state:k', 'second')).toBe(12);
    expect(await publish(key, 'state:k', 'user a 0')).toBe(13);
    const removal = fields('state:k', { key: 'user a 1'.padStart(20), removed: true });
    expect(summary(await broker.publish([removal], user('a')))).toEqual([14]);
    const more = async (name: string) => publish(user('a'), 'state:a', name);
    expect([await more('1'), await more('2'), await more('3')]).toEqual([1, 2, 'too_many_keys']);
    const [old] = broker.find('state:k')!.state!.values();
    expect(old?.key?.trim()).toBe('first');
    broker.reset('state:k', 'anew', 14);
    expect([await more('3'), await more('4'), await more('5'), await more('6')]).toEqual([
      3,
      4,
      5,
      'too_many_keys',
    ]);
  });

  test('of another node are charged here, too, as long as they are the newest of their keys', async () => {
    const { value } = await sizes();
    const { publish, broker } = await open({
      historyMaxBytes: 100 * value,
      historyMaxBytesPerClient: 2 * value,
    });
    for (const name of ['1', '2', '2']) await publish(key, 'state:k', name);
    const maker = { account: user('a').account, isVerified: true };
    const heard = (name: string, offset: number) => ({
      topic: 'state:k',
      key: name.padStart(20),
      offset,
      bytes: 1,
    });
    broker.madeElsewhere(maker, [], [heard('1', 1), heard('1', 1), heard('2', 2), heard('unknown', 4)]);
    expect(await takes(publish, user('a'), 'state:a')).toBe(1);
  });
});
