import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { failedRestMs } from '../../../src/engines/lmdb/database.ts';
import type { LmdbEngine } from '../../../src/engines/lmdb/engine.ts';
import { Store } from '../../../src/engines/lmdb/store.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import { messageIdBytes, messageIdWindowMs } from '../../../src/topics/message-id-budget.ts';
import type { Payer } from '../../../src/topics/payer.ts';
import { ofTest } from '../../support/opened.ts';
import { fields, json, openBroker, publishOne, summary } from '../../topics/fixtures.ts';
import { failingStore, loaded, request, requests, StoredTopics } from './fixtures.ts';

let stored: StoredTopics;
beforeEach(() => {
  stored = ofTest(new StoredTopics());
});

test('what a client has to give up of the rings is not stored for longer, other histories are', async () => {
  const engine = stored.make();
  const { broker } = await openBroker({
    engine,
    historyMaxBytesPerClient: 1,
    nowMs: stored.clock.read,
  });
  const publish = (topic: string, payer?: Payer) => broker.publish([fields(topic)], payer);
  const user: Payer = { account: 'user a', isVerified: true };
  for (let i = 0; i < 3; i++) await publish('left');
  for (const topic of ['left', 'newest']) await publish(topic, user);
  const kept = async (topic: string) =>
    (await loaded(engine, topic)).publications.map(({ offset }) => offset);
  expect(broker.find('left')?.ring.reach).toBe(1);
  await expect.poll(() => kept('left'), { timeout: 10_000 }).toEqual([2, 3, 4]);
  expect(await kept('newest')).toEqual([1]);
  await broker.close();
});

describe('group commit', () => {
  test('what is asked for in one turn is one transaction', async () => {
    let commits = 0;
    class CountingStore extends Store {
      override commit<T>(work: () => T): Promise<T> {
        commits++;
        return super.commit(work);
      }
    }
    const { engine, feed } = await stored.open({
      openStore: (folder, sync) => new CountingStore(folder, sync),
    });
    const calls = Array.from({ length: 100 }, (_, i) => engine.append([request(`t${i % 3}`)]));
    await Promise.all(calls);
    expect([commits, feed.fed.length]).toEqual([1, 100]);
    // Those of one call stay together, however many they are.
    await engine.append(requests(1001, 'many'));
    expect(commits).toBe(2);
  });

  test('what is asked for at any step of its end is committed without a wait', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const { engine } = await stored.open();
    for (let steps = 0; steps < 20; steps++) {
      await engine.append([request('a')]);
      for (let step = 0; step < steps; step++) await undefined;
      expect(summary(await engine.append([request('a')]))).toEqual([2 * steps + 2]);
    }
  });

  test('a large payload comes back whole, many of them too', async () => {
    const payloads = Array.from({ length: 20 }, (_, i) => new Uint8Array(65_536).fill(i));
    const { engine } = await stored.open({ retention: { maxBytes: 2 ** 30 } });
    await engine.append(
      requests(20, 'a', (i) => ({ payload: { format: 'binary', bytes: payloads[i] as Uint8Array } })),
    );
    const { publications } = await loaded(engine, 'a');
    const differing = publications.filter(
      ({ payload }, i) => Buffer.compare(payload.bytes, payloads[i] as Uint8Array) !== 0,
    );
    expect([publications.length, differing]).toEqual([20, []]);
  });
});

describe('load', () => {
  test.each([false, true])('lies between two transactions (sync: %s)', async (sync) => {
    const { engine, feed } = await stored.open({ sync, retention: { mode: 'state' } });
    await engine.append([request('a', { key: 'k' })]);
    const appends = Array.from({ length: 30 }, async (_, i) => {
      for (let turn = 0; turn < i % 4; turn++) await new Promise((resolve) => setImmediate(resolve));
      const append = engine.append([request('a', { key: `k${i}` })]);
      const { offset, publications, state } = await loaded(engine, 'a');
      const fed = feed.fed.filter(({ topic }) => topic === 'a').length;
      expect([offset, publications.length, state.length]).toEqual([fed, fed, fed]);
      await append;
    });
    await Promise.all(appends);
  });

  test('waits for the feed when the transaction is committed', async () => {
    let committed: () => void = () => undefined;
    let proceed: () => void = () => undefined;
    class PausingStore extends Store {
      override async commit<T>(work: () => T): Promise<T> {
        const result = await super.commit(work);
        committed();
        await new Promise<void>((resolve) => {
          proceed = resolve;
        });
        return result;
      }
    }
    const { engine, feed } = await stored.open({
      openStore: (folder, sync) => new PausingStore(folder, sync),
    });
    const isCommitted = new Promise<void>((resolve) => {
      committed = resolve;
    });
    const append = engine.append([request('a')]);
    await isCommitted;
    const fed = engine.load('a').then(() => feed.fed.length);
    await new Promise((resolve) => setImmediate(resolve));
    proceed();
    expect(await fed).toBe(1);
    await append;
  });
});

describe('in its own time', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Resolves at the next transaction, which `Stored` makes of this store. */
  function committingStore() {
    const commits: (() => void)[] = [];
    const { faults, openStore } = failingStore();
    const next = () => new Promise<void>((resolve) => commits.push(resolve));
    return {
      faults,
      next,
      openStore: (folder: string, sync: boolean) => {
        const store = openStore(folder, sync);
        const commit = store.commit.bind(store);
        store.commit = async (work) => {
          try {
            return await commit(work);
          } finally {
            commits.shift()?.();
          }
        };
        return store;
      },
    };
  }

  test('the engine finds that a store that failed works again', async () => {
    const { faults, next, openStore } = committingStore();
    const { engine, feed } = await stored.open({ openStore });
    faults.fail = new Error('no space left');
    await engine.append([request('a')]);
    faults.fail = undefined;
    stored.clock.advance(failedRestMs);
    const recovered = new Promise((resolve) => {
      feed.degraded = resolve;
    });
    const tried = next();
    vi.advanceTimersByTime(1000);
    await tried;
    expect(await recovered).toBeUndefined();
  });

  test('the engine deletes what is too old, step by step', async () => {
    const { next, openStore } = committingStore();
    const { engine } = await stored.open({ openStore, retention: { maxPublications: 5000, maxAgeMs: 1000 } });
    await engine.append(requests(2500, 'a'));
    stored.clock.advance(1001);
    const steps = [next(), next(), next()];
    vi.advanceTimersByTime(1000);
    await Promise.all(steps);
    expect((await loaded(engine, 'a')).publications).toEqual([]);
  });

  test('the engine notices that another gateway took the folder', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const { feed } = await stored.open();
    const lost = new Promise<Error | undefined>((resolve) => {
      feed.degraded = resolve;
    });
    writeFileSync(join(stored.folder, 'owner'), 'another');
    vi.advanceTimersByTime(2000);
    expect((await lost)?.message).toContain('another gateway has taken the data folder');
    warned.mockRestore();
  });
});

describe('after reopening', () => {
  test('a message id is a repeat until its window ends, and a conflict with other content', async () => {
    const first = await stored.open();
    await first.engine.append([request('a', { messageId: 'm' })]);
    await first.engine.close();
    stored.clock.advance(messageIdWindowMs - 1);
    const second = await stored.open();
    const outcomes = await second.engine.append([
      request('a', { messageId: 'm' }),
      request('a', { messageId: 'm', payload: json('other') }),
    ]);
    expect(outcomes).toMatchObject([
      { offset: 1, duplicate: true },
      { error: { code: 'message_id_conflict' } },
    ]);
    expect(second.engine.forget('a')).toBe(false);
    await second.engine.close();
    stored.clock.advance(1);
    const third = await stored.open();
    expect(third.engine.forget('a')).toBe(true);
    expect(await third.engine.append([request('a', { messageId: 'm' })])).toMatchObject([
      { offset: 2, duplicate: false },
    ]);
  });

  test('message ids are charged to the clients that published them', async () => {
    const limits = { perPayer: 2 * messageIdBytes, total: 10 * messageIdBytes };
    const [alice, bob] = ['alice', 'bob'].map((name) => ({ account: `user ${name}`, isVerified: true }));
    const stranger = { account: 'session 1', isVerified: false };
    const publish = (messageId: string, payer?: Payer) => ({ ...request('a', { messageId }), payer });
    const first = await stored.open({ messageIds: limits });
    const before = [publish('m1', alice), publish('m2', bob), publish('m3', stranger), publish('m4')];
    expect(summary(await first.engine.append(before))).toEqual([1, 2, 3, 4]);
    await first.engine.close();
    const { engine } = await stored.open({ messageIds: limits });
    const after = [
      publish('m5', alice),
      publish('m6', alice),
      publish('m7', bob),
      publish('m8', bob),
      // Clients without an identity have a quarter of the total together.
      publish('m9', { account: 'session 2', isVerified: false }),
      publish('n1', { account: 'session 3', isVerified: false }),
      publish('n2'),
      publish('n3'),
    ];
    expect(summary(await engine.append(after))).toEqual([
      5,
      'rate_limited',
      6,
      'rate_limited',
      7,
      'rate_limited',
      8,
      'rate_limited',
    ]);
  });

  test('the state is the newest per key, the longest unchanged first, expired ones too', async () => {
    const state = { retention: { mode: 'state' } } as const;
    const first = await stored.open(state);
    await first.engine.append([
      request('a', { key: 'x' }, 1000),
      request('a', { key: 'y', ttlMs: 10 }, 1000),
      request('a', { key: 'z' }, 1000),
      request('a', { payload: json('no key') }, 1000),
      request('a', { key: 'x', payload: json('newer') }, 1000),
      request('a', { key: 'z', removed: true }, 1000),
    ]);
    await first.engine.close();
    const { engine } = await stored.open(state);
    const { state: values } = await loaded(engine, 'a');
    expect(values.map(({ key, offset, expiresAtMs }) => [key, offset, expiresAtMs])).toEqual([
      ['y', 2, 1010],
      [undefined, 4, Number.POSITIVE_INFINITY],
      ['x', 5, Number.POSITIVE_INFINITY],
    ]);
  });

  test('a topic that was a stream has the newest values of what it holds as its state', async () => {
    const first = await stored.open();
    await first.engine.append([
      request('a', { key: 'x', payload: json('old') }),
      request('a', { key: 'y' }),
      request('a', { key: 'z' }),
      request('a', { key: 'x', payload: json('new') }),
      request('a', { key: 'z', removed: true }),
    ]);
    await first.engine.close();
    const state = { retention: { mode: 'state' } } as const;
    const second = await stored.open(state);
    const values = async (engine: LmdbEngine) =>
      (await loaded(engine, 'a')).state.map(({ key, offset }) => [key, offset]);
    const expected = [
      ['y', 2],
      ['x', 4],
    ];
    expect(await values(second.engine)).toEqual(expected);
    // They stay when their publications have left the history.
    await second.engine.append(requests(300, 'a', () => ({ key: 'w' })));
    await second.engine.close();
    const third = await stored.open(state);
    expect(await values(third.engine)).toEqual([...expected, ['w', 305]]);
  });

  test('of a forgotten topic only the numbering is known', async () => {
    const first = await stored.open();
    await first.engine.append([request('a'), request('b')]);
    first.engine.forget('a');
    const before = first.engine.numbering('a');
    await first.engine.close();
    const { engine } = await stored.open();
    expect([[...engine.names()], await engine.load('a')]).toEqual([['b'], undefined]);
    expect(before).toMatchObject({ offset: 1, seq: 1 });
    expect(engine.numbering('a')).toEqual(before);
  });
});

describe('forget', () => {
  test('is refused while an append of the topic is under way', async () => {
    const { engine } = await stored.open();
    await engine.append([request('a')]);
    const append = engine.append([request('a')]);
    expect(engine.forget('a')).toBe(false);
    expect(summary(await append)).toEqual([2]);
    expect(engine.forget('a')).toBe(true);
  });

  test('and an append in the same turn continue the numbering', async () => {
    const { engine, feed } = await stored.open();
    const [before] = await engine.append([request('a')]);
    engine.forget('a');
    const [after] = await engine.append([request('a')]);
    expect(after).toMatchObject({ offset: 2, epoch: before?.ok === true && before.epoch });
    expect(feed.fed.map(({ offset }) => offset)).toEqual([1, 2]);
  });
});

describe('a broker on this engine', () => {
  test('knows all stored topics when it has opened', async () => {
    const make = () => stored.make({ retention: { mode: 'state', maxAgeMs: Number.POSITIVE_INFINITY } });
    const first = await openBroker({ engine: make() });
    for (const topic of ['server:a', 'server:b', 'state']) {
      await publishOne(first.broker, publishOf({ topic, type: 't', key: 'k', payload: json(topic) }));
    }
    const before = first.broker.find('server:a')?.position;
    await first.broker.close();

    const { broker, listener } = await openBroker({ engine: make() });
    expect([...broker.topics()].map(({ name }) => name).sort()).toEqual(['server:a', 'server:b', 'state']);
    expect(broker.find('server:a')?.position).toEqual(before);
    expect(broker.find('state')?.state?.get('k')?.offset).toBe(1);
    expect(listener.heard).toEqual([]);
    const next = await publishOne(broker, publishOf({ topic: 'server:a', type: 't', payload: json(2) }));
    expect(next).toMatchObject({ epoch: before?.epoch, offset: 2 });
    expect(broker.find('server:a')?.ring.count).toBe(2);
    await broker.close();
  });

  test('tries an append again that failed once', async () => {
    const { faults, openStore } = failingStore();
    const { broker, counts } = await openBroker({
      engine: stored.make({ openStore }),
      wait: async () => {
        faults.fail = undefined;
        stored.clock.advance(failedRestMs);
      },
    });
    faults.fail = new Error('once');
    expect(await publishOne(broker, publishOf({ topic: 'a', type: 't', payload: json(1) }))).toMatchObject({
      offset: 1,
    });
    expect([counts.of('engineRetriesTotal'), counts.values('engineUp')]).toEqual([1, [1, 0, 1]]);
    expect(broker.degradedBy).toBeUndefined();
    await broker.close();
  });
});
