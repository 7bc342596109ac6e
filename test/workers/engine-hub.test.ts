import { Duplex, duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import type { EngineCalls, EngineNews } from '../../src/workers/calls.ts';
import { Channel, encodeBytes } from '../../src/workers/channel.ts';
import { unreadMaxBytes } from '../../src/workers/engine-hub.ts';
import { Link } from '../../src/workers/link.ts';
import { request, ring } from '../engines/contract/harness.ts';
import { json } from '../topics/fixtures.ts';
import { makeParent } from './fixtures.ts';

/** A parent, and a worker that reads nothing. */
async function withSilentWorker() {
  const nowMs = () => 1000;
  const engine = new MemoryEngine({ isState: () => false, nowMs });
  const stuck: unknown[] = [];
  const topic = { ...ring, ttlMs: undefined };
  const parent = await makeParent({
    engine,
    topic,
    isState: () => false,
    nowMs,
    stuck: (link) => stuck.push(link),
  });
  const silent = new Link<EngineCalls, EngineNews>(new Channel(duplexPair()[0]));
  const publish = (bytes: number, to = 'a') =>
    engine.append([request(to, { payload: json('x'.repeat(bytes)) })]);
  return { silent, stuck, publish, join: () => parent.hub.handlersFor(silent).join(undefined) };
}

test('a worker that joins is told of topics as fast as it reads', async () => {
  const { silent, publish, join } = await withSilentWorker();
  for (let topic = 0; topic < 100; topic++) await publish(60_000, `t${topic}`);
  void join();
  await expect.poll(() => silent.channel.unsentBytes).toBeGreaterThan(2 ** 20);
  // Were it told of all topics at once, or of more in each turn, more would be unsent now.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(silent.channel.unsentBytes).toBeLessThan(2 * 2 ** 20);
});

test('a worker that reads nothing is told 64 MiB, and is then stuck once and told no more', async () => {
  const { silent, stuck, publish, join } = await withSilentWorker();
  await join();
  const { channel } = silent;

  while (channel.unsentBytes + 2 * 60_000 < unreadMaxBytes) await publish(60_000);
  const before = channel.unsentBytes;
  await publish(0);
  const leastBytes = channel.unsentBytes - before;
  // Longer numbers take some bytes more.
  await publish(unreadMaxBytes - channel.unsentBytes - 2 * leastBytes);
  while (channel.unsentBytes + leastBytes <= unreadMaxBytes) await publish(0);
  expect([unreadMaxBytes - channel.unsentBytes < leastBytes, stuck]).toEqual([true, []]);
  await publish(0);
  expect(stuck).toEqual([silent]);
  const told = channel.unsentBytes;
  await publish(60_000);
  expect([stuck.length, channel.unsentBytes]).toEqual([1, told]);
});

test('long messages of one turn are not copied for each worker that is told them', async () => {
  const messages = [encodeBytes(0, 'a', Buffer.alloc(40_000)), encodeBytes(0, 'b', Buffer.alloc(40_000))];
  const written: unknown[] = [];
  const write = (bytes: unknown, _: string, done: () => void) => {
    written.push(bytes);
    done();
  };
  const channel = new Channel(new Duplex({ read: () => undefined, write }));
  for (const message of messages) channel.sendEncoded(message);
  await channel.flushed();
  expect([written.length, ...written.map((bytes, i) => bytes === messages[i])]).toEqual([2, true, true]);
});

test('a worker charges for a topic what the engine takes for it in the parent', async () => {
  const [isState, nowMs] = [() => false, () => 1000];
  const engine = Object.assign(new MemoryEngine({ isState, nowMs }), { topicBytes: 1800 });
  const { join } = await makeParent({ engine, topic: { ...ring, ttlMs: undefined }, isState, nowMs });
  const { worker, leave } = join();
  await worker.open({ appended: () => undefined, reset: () => undefined, degraded: () => undefined });
  expect(worker.topicBytes).toBe(1800);
  leave();
});
