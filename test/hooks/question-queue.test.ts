import { describe, expect, test } from 'vitest';
import { QuestionQueue } from '../../src/hooks/question-queue.ts';

const payer = (account: string) => ({ account, isVerified: true });

/** Three questions of each of these payers wait. */
function waiting() {
  const queue = new QuestionQueue();
  const started: string[] = [];
  for (const account of ['a', 'b', 'c'])
    for (const n of [1, 2, 3]) queue.add(payer(account), () => started.push(`${account}${n}`));
  return { queue, started };
}

describe('the next place', () => {
  test('goes to the payer that has the fewest, and of those to the one whose turn is the longest ago', () => {
    const { queue, started } = waiting();
    while (queue.size > 0) queue.startNext();
    expect(started).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'b3', 'c3']);
    expect(queue.taken).toBe(9);
  });

  test('goes round where there is only one', () => {
    const queue = new QuestionQueue();
    const started: string[] = [];
    for (const account of ['a', 'b'])
      for (let n = 1; n <= 2; n++) {
        const start = () => {
          started.push(`${account}${n}`);
          queue.remove(payer(account), start);
        };
        queue.add(payer(account), start);
      }
    while (queue.size > 0) queue.startNext();
    expect(started).toEqual(['a1', 'b1', 'a2', 'b2']);
    expect(queue.taken).toBe(0);
  });
});
