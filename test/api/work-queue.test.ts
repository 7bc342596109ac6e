import { describe, expect, test } from 'vitest';
import { WorkQueue } from '../../src/api/work-queue.ts';
import { gatewayPayer, type Payer } from '../../src/topics/payer.ts';

function startTurns() {
  const next: (() => void)[] = [];
  const spent: (readonly [account: string, ms: number, bytes: number])[] = [];
  const clock = { nowMs: 0 };
  const turns = new WorkQueue({
    nextTurn: (callback) => next.push(callback),
    workMs: () => clock.nowMs,
    spent: (...work) => spent.push(work),
  });
  return { turns, spent, clock, next, turn: () => next.shift()?.() };
}

const payer: Payer = { account: 'user a', isVerified: true };

describe('turns', () => {
  test('run one piece of work each, in the order in which it came', async () => {
    const { turns, turn, next } = startTurns();
    const done: string[] = [];
    const work = ['a', 'b', 'c'].map((name) => turns.run(payer, () => done.push(name)));
    expect([done, next.length]).toEqual([[], 1]);
    turn();
    expect([done, next.length]).toEqual([['a'], 1]);
    turn();
    turn();
    expect([done, next.length]).toEqual([['a', 'b', 'c'], 0]);
    expect(await Promise.all(work)).toEqual([1, 2, 3]);
  });

  test('charge each payer what its work took', async () => {
    const { turns, turn, spent, clock } = startTurns();
    const taking = (ms: number) => () => {
      clock.nowMs += ms;
    };
    const work = [turns.run(payer, taking(7)), turns.run(gatewayPayer, taking(2))];
    turn();
    turn();
    await Promise.all(work);
    expect(spent).toEqual([
      ['user a', 7, 0],
      ['gateway', 2, 0],
    ]);
  });

  test('pass on what work throws, charge it, and go on', async () => {
    const { turns, turn, spent } = startTurns();
    const failing = turns.run(payer, () => {
      throw new Error('no JSON');
    });
    const next = turns.run(payer, () => 'done');
    turn();
    turn();
    await expect(failing).rejects.toThrow('no JSON');
    expect([await next, spent.length]).toEqual(['done', 2]);
  });
});
