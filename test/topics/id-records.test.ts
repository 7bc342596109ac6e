import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IdRecords } from '../../src/topics/id-records.ts';
import { messageIdBytes, messageIdLimits } from '../../src/topics/message-id-budget.ts';
import { growthBytes } from '../support/memory.ts';

/** Keys of equal first words meet in the table. */
const keyOf = (n: number) => Uint32Array.of(n % 7, n, 0, 0);

function recordOf(n: number, key: Uint32Array | undefined = keyOf(n)) {
  return { key, digest: Uint32Array.of(n, n + 1), offset: n, atMs: 2 * n, account: 3, owner: 4 };
}

describe('records of message ids', () => {
  test('are found by their keys while they are there, whatever was added and removed between', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 5, arbitrary: fc.record({ add: fc.nat(40), times: fc.constantFrom(1, 1, 40, 700) }) },
        { weight: 3, arbitrary: fc.record({ remove: fc.constantFrom(1, 2, 100, 2000) }) },
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const records = new IdRecords();
        const added: { readonly number: number; readonly n: number }[] = [];
        let fresh = 1000;
        for (const step of all) {
          if ('add' in step) {
            for (let i = 0; i < step.times; i++) {
              // One key again and again, among others that come once.
              const n = i === 0 ? step.add : fresh++;
              added.push({ number: records.add(recordOf(n)), n });
            }
          } else for (let i = 0; i < step.remove && added.shift() !== undefined; i++) records.removeOldest();
          expect([records.size, records.oldest]).toEqual([added.length, added[0]?.number]);
          const newest = new Map(added.filter(({ n }) => n <= 40).map(({ number, n }) => [n, number]));
          const keys = Array.from({ length: 41 }, (_, n) => n);
          // One expectation for all: each takes as long as a hundred lookups.
          expect(keys.filter((n) => records.find(keyOf(n)) !== newest.get(n))).toEqual([]);
          const wrong = [...added.slice(0, 20), ...added.slice(-20)].filter(
            ({ number, n }) =>
              records.offsetOf(number) !== n ||
              records.atMsOf(number) !== 2 * n ||
              !records.hasDigest(number, Uint32Array.of(n, n + 1)) ||
              records.hasDigest(number, Uint32Array.of(n, n)),
          );
          expect(wrong).toEqual([]);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('without a key are not found', () => {
    const records = new IdRecords();
    const number = records.add({ ...recordOf(1), key: undefined });
    expect([records.find(keyOf(1)), records.has(number), records.has(number + 1)]).toEqual([
      undefined,
      true,
      false,
    ]);
    records.removeOldest();
    expect(records.has(number)).toBe(false);
  });

  test('take no more than they are charged, and give it back', () => {
    const records = new IdRecords();
    const count = Math.floor(messageIdLimits.perPayer / messageIdBytes);
    const add = () => {
      for (let n = 0; n < count; n++)
        records.add(recordOf(n, Uint32Array.of(Math.imul(n, 0x9e3779b1), n, 0, 0)));
    };
    const remove = () => {
      for (let n = 0; n < count; n++) records.removeOldest();
    };
    const addedBytes = growthBytes('arrayBuffers', add);
    expect(addedBytes).toBeLessThanOrEqual(messageIdLimits.perPayer);
    expect(addedBytes + growthBytes('arrayBuffers', remove)).toBeLessThan(100_000);
  });
});
