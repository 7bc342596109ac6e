import { describe, expect, test } from 'vitest';
import { TurnBudget } from '../../../src/sessions/limits/turn-budget.ts';
import { FakeTurns } from '../../fanout/fixtures.ts';

/** Each piece of work takes a millisecond. */
function share(perTurnMs: number) {
  const turns = new FakeTurns();
  let nowMs = 0;
  const clock = {
    nowMs: () => nowMs,
    atTurnEnd: (run: () => void) => turns.atTurnEnd(run),
    beforeTurnEnd: (run: () => void) => turns.beforeTurnEnd(run),
    after: turns.after,
  };
  const turnBudget = new TurnBudget(clock, perTurnMs);
  const done: number[] = [];
  const work = (id: number) => () => {
    nowMs++;
    done.push(id);
  };
  return { turns, turnBudget, done, work };
}

describe('a share of the turns', () => {
  test('is used at once, up to its end; the rest follows turn by turn, in order', () => {
    const { turns, turnBudget, done, work } = share(2);
    for (let id = 1; id <= 7; id++) turnBudget.run(work(id));
    expect(done).toEqual([1, 2]);
    turns.turn();
    expect(done).toEqual([1, 2, 3, 4]);
    turns.turn();
    turns.turn();
    expect(done).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('loses and repeats nothing when a piece of work throws', () => {
    const { turns, turnBudget, done, work } = share(2);
    for (let id = 1; id <= 3; id++) turnBudget.run(work(id));
    turnBudget.run(() => {
      throw new Error('as it does');
    });
    turnBudget.run(work(5));
    expect(() => turns.turn()).toThrow('as it does');
    expect(done).toEqual([1, 2, 3]);
    turns.turn();
    expect(done).toEqual([1, 2, 3, 5]);
  });

  test('is left to others by work that has had its time', () => {
    const { turns, turnBudget, done, work } = share(2);
    turnBudget.run(() => {
      work(1)();
      turnBudget.later(work(2));
    });
    turnBudget.run(work(3));
    expect(done).toEqual([1]);
    turns.turn();
    expect(done).toEqual([1, 2, 3]);
  });

  test('counts once what is done within other work', () => {
    const { turns, turnBudget, done, work } = share(3);
    turnBudget.run(() => {
      work(1)();
      turnBudget.run(work(2));
    });
    turnBudget.run(work(3));
    turnBudget.run(work(4));
    expect(done).toEqual([1, 2, 3]);
    turns.turn();
    expect(done).toEqual([1, 2, 3, 4]);
  });

  test('no work overtakes work that waits', () => {
    const { turns, turnBudget, done, work } = share(1);
    for (let id = 1; id <= 3; id++) turnBudget.run(work(id));
    turns.turn();
    turnBudget.run(work(4));
    turns.settle();
    expect(done).toEqual([1, 2, 3, 4]);
  });

  test('is whole again in the next turn', () => {
    const { turns, turnBudget, done, work } = share(1);
    turnBudget.run(work(1));
    turns.settle();
    turnBudget.run(work(2));
    expect([done, turns.asked]).toEqual([[1, 2], 1]);
    turns.settle();
    expect(turns.asked).toBe(0);
  });

  test('of nothing still does one thing in each turn', () => {
    const { turns, turnBudget, done, work } = share(0);
    turnBudget.run(work(1));
    turnBudget.run(work(2));
    expect(done).toEqual([]);
    turns.turn();
    expect(done).toEqual([1]);
    turns.turn();
    expect(done).toEqual([1, 2]);
  });

  test('work may ask for more work', () => {
    const { turns, turnBudget, done, work } = share(2);
    turnBudget.run(() => turnBudget.run(work(1)));
    for (let id = 2; id <= 4; id++) turnBudget.run(() => turnBudget.run(work(id)));
    turns.settle();
    expect(done).toEqual([1, 2, 3, 4]);
  });
});
