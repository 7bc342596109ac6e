import { describe, expect, test } from 'vitest';
import type { Payer } from '../../src/topics/payer.ts';
import { bytesOf } from '../../src/topics/publication.ts';
import { valueBytesOf } from '../../src/topics/state.ts';
import { fields, json, openBroker, summary } from './fixtures.ts';

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

describe('the histories of the topics of a client', () => {
  test('above its share, evicts only its own, those longest idle first', async () => {
    const { ring } = await sizes();
    const { publish, ringsOf } = await open({
      historyMaxBytes: 100 * ring,
      historyMaxBytesPerClient: 2 * ring,
    });
    await publish(key, 'of:key');
    await publish(user('b'), 'of:b');
    for (const topic of ['a:1', 'a:2']) await publish(user('a'), topic);
    expect(ringsOf('a:1', 'a:2')).toEqual(['a:1', 'a:2']);
    await publish(user('a'), 'a:3');
    expect(ringsOf('of:key', 'of:b', 'a:1', 'a:2', 'a:3')).toEqual(['of:key', 'of:b', 'a:2', 'a:3']);
    for (const topic of ['k:1', 'k:2', 'k:3']) await publish(key, topic);
    expect(ringsOf('k:1', 'k:2', 'k:3')).toEqual(['k:1', 'k:2', 'k:3']);
  });

  test('one topic keeps its own, however large', async () => {
    const { ring } = await sizes();
    const { publish, broker } = await open({ historyMaxBytes: 100 * ring, historyMaxBytesPerClient: ring });
    for (let i = 0; i < 3; i++) await publish(user('a'), 'a');
    expect(broker.find('a')?.ring.count).toBe(3);
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

  test('of topics of others a client adds none where values are half of all; keys and removals go on', async () => {
    const { value } = await sizes();
    const { publish, broker } = await open({
      historyMaxBytes: 20 * value,
      historyMaxBytesPerClient: 20 * value,
    });
    await publish(key, 'state:k', 'first');
    expect(await takes(publish, user('a'), 'state:k')).toBe(9);
    expect(await publish(key, 'state:k', 'second')).toBe(11);
    const removal = fields('state:k', { key: 'first'.padStart(20), removed: true });
    expect(summary(await broker.publish([removal], user('a')))).toEqual([12]);
  });
});
