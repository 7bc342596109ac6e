import { expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { request } from './contract/harness.ts';
import { engineContract } from './contract.ts';

engineContract('memory', () => ({
  make: ({ nowMs, isState, numberingsMax, messageIds, acknowledged }) =>
    new MemoryEngine({ nowMs, isState, numberingsMax, messageIds, acknowledged }),
}));

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

test('the memory engine retains nothing beyond the process', () => {
  expect(new MemoryEngine({ isState: () => false }).retains).toBe(false);
});
