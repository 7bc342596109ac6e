import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import type { EngineCalls, EngineNews } from '../../src/workers/calls.ts';
import { Channel } from '../../src/workers/channel.ts';
import { unreadMaxBytes } from '../../src/workers/engine-hub.ts';
import { Link } from '../../src/workers/link.ts';
import { request, ring } from '../engines/contract/harness.ts';
import { json } from '../topics/fixtures.ts';
import { makeParent } from './fixtures.ts';

test('a worker that reads nothing is told 64 MiB, and is then stuck once and told no more', async () => {
  const nowMs = () => 1000;
  const engine = new MemoryEngine({ isState: () => false, nowMs });
  const stuck: unknown[] = [];
  const topic = { ...ring, ttlMs: undefined };
  const parent = await makeParent({
    ...{ engine, topic, isState: () => false, nowMs },
    stuck: (link) => stuck.push(link),
  });
  const silent = new Link<EngineCalls, EngineNews>(new Channel(duplexPair()[0]));
  await parent.hub.handlersFor(silent).join(undefined);
  const publish = (bytes: number) => engine.append([request('a', { payload: json('x'.repeat(bytes)) })]);
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
