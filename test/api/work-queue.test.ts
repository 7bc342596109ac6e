import { describe, expect, test } from 'vitest';
import { WorkQueue } from '../../src/api/work-queue.ts';
import { gatewayPayer, type Payer } from '../../src/topics/payer.ts';

function startTurns() {
  const next: (() => void)[] = [];
  const spent: (readonly [account: string, ms: number, bytes: number])[] = [];
  const clock = { nowMs: 0 };
  const waits = new Map<string, number>();
  let refusals = 0;
  const turns = new WorkQueue({
    nextTurn: (callback) => next.push(callback),
    workMs: () => clock.nowMs,
    spent: (...work) => spent.push(work),
    waitMs: (account) => waits.get(account) ?? 0,
    refused: () => refusals++,
  });
  return { turns, spent, clock, next, waits, refusals: () => refusals, turn: () => next.shift()?.() };
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

  test('go round the accounts: one that has much waits for itself', async () => {
    const { turns, turn } = startTurns();
    const done: string[] = [];
    const ask = (account: string | undefined, name: string) =>
      turns.run(account === undefined ? undefined : { account, isVerified: true }, () => done.push(name));
    const work = ['a1', 'a2', 'a3'].map((name) => ask('a', name));
    work.push(ask('b', 'b1'), ask(undefined, 'operator'), ask('b', 'b2'));
    for (let i = 0; i < 6; i++) turn();
    await Promise.all(work);
    expect(done).toEqual(['a1', 'b1', 'operator', 'a2', 'b2', 'a3']);
  });

  test('do not begin for an account that has spent its time by then, and go on with what has begun', async () => {
    const { turns, turn, waits, refusals } = startTurns();
    const begun = [1, 2].map((n) => turns.begin(payer, () => n));
    const operator = turns.begin(undefined, () => 'done');
    const more = turns.run(payer, () => 'more');
    turn();
    waits.set(payer.account, 70);
    for (let i = 0; i < 3; i++) turn();
    expect([await begun[0], await operator, await more]).toEqual([1, 'done', 'more']);
    await expect(begun[1]).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 70 });
    expect(refusals()).toBe(1);
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
