import { expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { engineContract } from './contract.ts';

engineContract('memory', () => ({ make: ({ nowMs, isState }) => new MemoryEngine({ nowMs, isState }) }));

test('the memory engine retains nothing beyond the process', () => {
  expect(new MemoryEngine({ isState: () => false }).retains).toBe(false);
});
