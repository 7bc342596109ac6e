import { describe, expect, it } from 'vitest';
import { RequestTurn } from '../../../src/transport/uws/request-turn.ts';
import { FakeTurns } from '../../fanout/fixtures.ts';

function started(pieces: number) {
  const turns = new FakeTurns();
  const turn = new RequestTurn(turns);
  for (let i = 0; i < pieces; i++) turn.count();
  return { turns, turn };
}

describe('a turn of requests', () => {
  it.each([
    [199, 1000, false],
    [200, 20, false],
    [200, 21, true],
  ])('with %i pieces in %i ms is long: %j', (pieces, ms, isLong) => {
    const { turns, turn } = started(pieces);
    turns.elapse(ms);
    expect(turn.isLong).toBe(isLong);
  });

  it('is followed by one that is short', () => {
    const { turns, turn } = started(200);
    turns.elapse(100);
    turns.turn();
    expect(turn.isLong).toBe(false);
    turn.count();
    expect(turn.isLong).toBe(false);
  });

  it('leaves what waits to the next ones, at least one piece and 10 ms of work each', () => {
    const { turns, turn } = started(200);
    const done: number[] = [];
    for (const ms of [4, 6, 30, 1])
      turn.later(() => {
        turns.elapse(ms);
        done.push(ms);
      });
    expect(done).toEqual([]);
    turns.turn();
    expect(done).toEqual([4, 6]);
    turns.turn();
    expect(done).toEqual([4, 6, 30]);
    turns.turn();
    expect([done, turns.asked]).toEqual([[4, 6, 30, 1], 0]);
  });
});
