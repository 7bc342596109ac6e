import { describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SluiceError } from '../../src/errors.ts';
import type { EngineFeed } from '../../src/topics/engine.ts';
import { gatewayPayer, type Payer } from '../../src/topics/payer.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import { topicBytesOf } from '../../src/topics/topic-shares.ts';
import { fields, openBroker, summary, WaitingEngine } from './fixtures.ts';

const user = (name: string): Payer => ({ account: `user ${name}`, isVerified: true });
const key: Payer = { account: 'key backend', isVerified: true, isOperator: true };
const session = (id: string, address: string): Payer => ({ account: id, isVerified: false, address });

type Made = Awaited<ReturnType<typeof openBroker>>;

/** Publishes once to each of these topics; returns the offset, or the code of the refusal, of each. */
async function begin({ broker }: Pick<Made, 'broker'>, payer: Payer | undefined, ...names: string[]) {
  return summary(
    await broker.publish(
      names.map((name) => fields(name)),
      payer,
    ),
  );
}

/** How many of 100 new topics the payer may make, each in a call of its own or all in one. */
async function makes(made: Made, payer: Payer | undefined, inOneCall = false): Promise<number> {
  const names = Array.from({ length: 100 }, (_, i) =>
    `${payer?.account ?? 'none'}:${i}`.replaceAll(' ', '-'),
  );
  const outcomes: (number | string)[] = [];
  if (inOneCall) outcomes.push(...(await begin(made, payer, ...names)));
  else for (const name of names) outcomes.push(...(await begin(made, payer, name)));
  const refused = outcomes.indexOf('too_many_topics');
  expect(new Set(outcomes.slice(refused))).toEqual(new Set(['too_many_topics']));
  return refused;
}

describe('the share of a client of all topics', () => {
  test.each([
    [40, 9, 9, false],
    [40, 9, 9, true],
    [40, 30, 20, false],
    [40, 30, 20, true],
    [41, 30, 21, true],
    [1, 30, 1, false],
  ])('of %i topics one user makes %i', async (topicsMax, topicsMaxPerClient, made, inOneCall) => {
    const gateway = await openBroker({ topicsMax, topicsMaxPerClient });
    expect(await makes(gateway, user('mallory'), inOneCall)).toBe(made);
  });

  test('keys and the gateway itself make as many as there are places for', async () => {
    for (const payer of [key, gatewayPayer, undefined])
      expect(await makes(await openBroker({ topicsMax: 40, topicsMaxPerClient: 5 }), payer)).toBe(40);
  });

  test('where many users take all they can, there is room for one that comes later', async () => {
    const gateway = await openBroker({ topicsMax: 100, topicsMaxPerClient: 90 });
    const made: number[] = [];
    for (let i = 0; i < 6; i++) made.push(await makes(gateway, user(`${i}`)));
    expect(made).toEqual([50, 25, 13, 6, 3, 2]);
    expect(await begin(gateway, user('late'), 'late')).toEqual([1]);
  });

  test('sessions without an identity are charged as their address, and together make a quarter', async () => {
    const gateway = await openBroker({ topicsMax: 80, topicsMaxPerClient: 8 });
    const [one, other] = [session('s1', 'address a'), session('s2', 'address a')];
    expect(await begin(gateway, one, ...Array.from({ length: 5 }, (_, i) => `one:${i}`))).not.toContain(
      'too_many_topics',
    );
    expect(await makes(gateway, other)).toBe(3);
    expect(await makes(gateway, session('s3', 'address b'))).toBe(6);
    expect(await makes(gateway, user('alice'))).toBe(8);
  });

  test.each([
    ['short names', '', 'stream', 0, 4],
    ['long names', ':'.padEnd(190, 'x'), 'stream', 0, 3],
    ['values', '', 'state', 0, 1],
    ['an engine that keeps as much', '', 'stream', topicBytesOf('0', 'stream'), 2],
  ] as const)(
    'is also one of bytes: of topics with %s it makes less than it may by number',
    async (_, end, mode, topicBytes, made) => {
      const engine = Object.assign(new MemoryEngine({ isState: () => mode === 'state' }), { topicBytes });
      const topicsMaxBytesPerClient = 4 * topicBytesOf('0', 'stream');
      const gateway = await openBroker({ engine, topicsMaxBytesPerClient, topic: { mode } });
      const names = Array.from({ length: 6 }, (_, i) => `${i}${end}`);
      const outcomes = await begin(gateway, user('a'), ...names);
      expect(outcomes.slice(0, made)).toEqual(Array(made).fill(1));
      expect(outcomes.slice(made)).toEqual(Array(6 - made).fill('too_many_topics'));
      expect(await begin(gateway, user('a'), 'one-more')).toEqual(['too_many_topics']);
      expect(await begin(gateway, key, ...names.slice(made))).toEqual(Array(6 - made).fill(1));
    },
  );

  test('of bytes is given back with the topic, and is one for all without an identity', async () => {
    const gateway = await openBroker({
      topicsMaxBytesPerClient: 4 * topicBytesOf('0', 'stream'),
      topic: { maxAgeMs: 100 },
    });
    expect(await begin(gateway, session('s1', 'address a'), '0', '1', '2')).toEqual([
      1,
      1,
      'too_many_topics',
    ]);
    expect(await begin(gateway, session('s2', 'address b'), '3', '4')).toEqual([1, 'too_many_topics']);
    gateway.clock.advance(101);
    gateway.broker.sweep();
    expect(await begin(gateway, session('s2', 'address b'), '5', '6', '7')).toEqual([
      1,
      1,
      'too_many_topics',
    ]);
  });

  test('a topic that exists is published to by clients that can make no more', async () => {
    const gateway = await openBroker({ topicsMax: 40, topicsMaxPerClient: 1 });
    expect(await begin(gateway, user('a'), 'a', 'b', 'a')).toEqual([1, 'too_many_topics', 2]);
    expect(await begin(gateway, user('b'), 'b')).toEqual([1]);
    expect(await begin(gateway, user('a'), 'b')).toEqual([2]);
  });

  test('are charged until their places are free', async () => {
    const options = { topicsMax: 40, topicsMaxPerClient: 2, topic: { maxAgeMs: 100 } };
    const gateway = await openBroker(options);
    const { broker, clock } = gateway;
    const payer = user('a');
    await broker.publish([fields('remembered', { messageId: 'm' }), fields('watched')], payer);
    const held = broker.retain('watched');
    clock.advance(101);
    broker.sweep();
    // One is empty, and stays for its message id; the other one is only subscribed to.
    expect(await begin(gateway, payer, 'c', 'd')).toEqual([1, 'too_many_topics']);
    expect(await begin(gateway, payer, 'remembered', 'watched')).toEqual([2, 'too_many_topics']);
    expect(await begin(gateway, key, 'watched')).toEqual([2]);
    clock.advance(300_001);
    broker.sweep();
    broker.release(held);
    broker.sweep();
    expect(broker.size).toBe(0);
    expect(await begin(gateway, payer, 'e', 'f', 'g')).toEqual([1, 1, 'too_many_topics']);
  });

  test('a topic that is empty, left by its subscribers and kept for a message id is charged again', async () => {
    const gateway = await openBroker({ topicsMax: 40, topicsMaxPerClient: 1, topic: { maxAgeMs: 100 } });
    const { broker, clock } = gateway;
    await broker.publish([fields('a', { messageId: 'm' })], user('a'));
    const held = broker.retain('a');
    clock.advance(101);
    broker.sweep();
    broker.release(held);
    broker.sweep();
    expect(await begin(gateway, user('a'), 'b')).toEqual(['too_many_topics']);
    clock.advance(300_000);
    broker.sweep();
    expect(await begin(gateway, user('a'), 'b')).toEqual([1]);
  });

  test('topics under way are charged, and given back where the engine could not begin them', async () => {
    const engine = new WaitingEngine({ isState: () => false });
    const gateway = await openBroker({ engine, topicsMax: 40, topicsMaxPerClient: 1 });
    const append = engine.append.bind(engine);
    engine.append = async () => [{ ok: false as const, error: new SluiceError('shutting_down') }];
    const refused = begin(gateway, user('a'), 'a');
    engine.append = append;
    expect(await begin(gateway, user('a'), 'b')).toEqual(['too_many_topics']);
    expect(await refused).toEqual(['shutting_down']);
    const taken = begin(gateway, user('a'), 'b');
    await engine.commit();
    expect(await taken).toEqual([1]);
    expect(await begin(gateway, user('a'), 'c')).toEqual(['too_many_topics']);
  });
});

describe('topics that a client makes on another node', () => {
  const payer = user('a');
  /** As they are heard of there: begun by no one. */
  const hear = (gateway: Made, ...names: string[]) => begin(gateway, undefined, ...names);

  test('are charged to it once that is told, and given back', async () => {
    const gateway = await openBroker({ topicsMax: 40, topicsMaxPerClient: 3, topic: { maxAgeMs: 100 } });
    await hear(gateway, 'there', 'theirs');
    await begin(gateway, payer, 'here');
    gateway.broker.madeElsewhere({ account: payer.account, isVerified: true }, ['there', 'here', 'unknown']);
    expect(await begin(gateway, payer, 'more', 'too-many')).toEqual([1, 'too_many_topics']);
    // Who was charged first stays charged.
    gateway.broker.madeElsewhere({ account: 'user b', isVerified: true }, ['there', 'here']);
    expect(await begin(gateway, user('b'), '1', '2', '3', '4')).toEqual([1, 1, 1, 'too_many_topics']);
    gateway.clock.advance(101);
    gateway.broker.sweep();
    expect(await begin(gateway, payer, '5', '6', '7', '8')).toEqual([1, 1, 1, 'too_many_topics']);
  });

  test('that were made by someone else once are charged to no one until that is told', async () => {
    const gateway = await openBroker({ topicsMax: 40, topicsMaxPerClient: 1, topic: { maxAgeMs: 100 } });
    const { broker, clock } = gateway;
    await begin(gateway, payer, 'watched');
    broker.retain('watched');
    clock.advance(101);
    broker.sweep();
    const feed: EngineFeed = broker;
    feed.appended('watched', broker.find('watched')!.epoch, [
      new StoredPublication(fields('watched'), 2, 2, clock.nowMs, 0),
    ]);
    expect(broker.find('watched')?.maker).toBeUndefined();
    expect(await begin(gateway, payer, 'another')).toEqual([1]);
  });
});
