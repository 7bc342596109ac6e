import { describe, expect, test } from 'vitest';
import { messageIdLimits } from '../../src/topics/message-id-budget.ts';
import { acknowledgedContract } from './contract/acknowledged.ts';
import { appendContract } from './contract/append.ts';
import { closeContract } from './contract/close.ts';
import { expectedContract } from './contract/expected.ts';
import { expiryContract } from './contract/expiry.ts';
import { forgetContract } from './contract/forget.ts';
import {
  acknowledgedMax,
  type MakeEngine,
  numberingsMax,
  opener,
  request,
  ring,
} from './contract/harness.ts';
import { loadContract } from './contract/load.ts';
import { messageIdsContract } from './contract/message-ids.ts';

/**
 * The contract in prose of `src/topics/engine.ts`, as tests. A new engine's test file calls this with its name and a
 * way to make it; nothing else is needed to know that it keeps the contract.
 */
export function engineContract(name: string, newStore: () => MakeEngine): void {
  describe(`the contract of engines, kept by ${name}`, () => {
    const opened = opener(newStore);
    appendContract(opened);
    messageIdsContract(opened);
    expectedContract(opened);
    expiryContract(opened);
    forgetContract(opened);
    acknowledgedContract(opened);
    loadContract(opened);
    closeContract(opened);

    test('an append before it was opened is refused', async () => {
      const engine = await newStore()({
        nowMs: () => 0,
        ring,
        isState: () => false,
        numberingsMax,
        messageIds: messageIdLimits,
        acknowledged: acknowledgedMax,
      });
      const [outcome] = await engine.append([request('a')]);
      expect(outcome?.ok).toBe(false);
      await engine.close();
    });
  });
}
