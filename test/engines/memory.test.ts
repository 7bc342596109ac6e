import { expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { messageIdBytes, messageIdWindowMs } from '../../src/topics/message-id-budget.ts';
import { request } from './contract/harness.ts';
import { engineContract } from './contract.ts';

engineContract('memory', () => (options) => new MemoryEngine(options));

test('the memory engine feeds publications together that follow each other in one topic', async () => {
  const fed: (readonly [string, number[]])[] = [];
  const engine = new MemoryEngine({ isState: () => false });
  await engine.open({
    appended: (topic, _, publications) => fed.push([topic, publications.map(({ offset }) => offset)]),
    reset: () => undefined,
    degraded: () => undefined,
  });
  await engine.append(['a', 'a', 'b', 'a', 'a'].map((topic) => request(topic)));
  expect(fed).toEqual([
    ['a', [1, 2]],
    ['b', [1]],
    ['a', [3, 4]],
  ]);
});

test('the memory engine takes nothing of a batch after what it refused for a message id', async () => {
  let time = 0;
  const messageIds = { perPayer: messageIdBytes, total: 100 * messageIdBytes };
  const engine = new MemoryEngine({ isState: () => false, messageIds, nowMs: () => time++ });
  await engine.open({ appended: () => undefined, reset: () => undefined, degraded: () => undefined });
  const append = async (count: number) => {
    const requests = Array.from({ length: count }, (_, i) => request('a', { messageId: `${time} ${i}` }));
    return (await engine.append(requests)).map(({ ok }) => ok);
  };
  expect(await append(1)).toEqual([true]);
  // The room of that id becomes free while the batch is appended.
  time = messageIdWindowMs - 4;
  expect(await append(8)).toEqual(Array(8).fill(false));
});

test('the memory engine retains nothing beyond the process', () => {
  expect(new MemoryEngine({ isState: () => false }).retains).toBe(false);
});
