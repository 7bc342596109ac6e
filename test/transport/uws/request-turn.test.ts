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

  describe('that others have made long', () => {
    function long() {
      const { turns, turn } = started(1000);
      turns.elapse(100);
      const flooded = (sender: object, count: number, ms: number) => {
        for (let i = 0; i < count; i++) turn.count(sender);
        turns.elapse(ms);
        return turn.isFlooded;
      };
      return { turns, turn, flooded, flooder: {}, other: {} };
    }

    it('is flooded by a client that has sent 50 in a row, and by no other', () => {
      const { turns, turn, flooded, flooder, other } = long();
      expect(turn.isFlooded).toBe(false);
      expect([flooded(other, 49, 2), flooded(flooder, 49, 2)]).toEqual([false, false]);
      expect(flooded(flooder, 1, 2)).toBe(true);
      expect(flooded(other, 49, 2)).toBe(false);
      turns.turn();
      expect(flooded(flooder, 50, 2)).toBe(false);
    });

    it('is flooded once those after the 50 have taken more than a millisecond', () => {
      const { flooded, flooder } = long();
      expect([flooded(flooder, 50, 0), flooded(flooder, 1000, 1)]).toEqual([false, false]);
      expect(flooded(flooder, 1, 0.1)).toBe(true);
    });

    it('is not flooded by a client whose many messages take no time', () => {
      const { flooded, other } = long();
      expect(flooded(other, 1000, 1)).toBe(false);
    });
  });

  it('brings what has come since it began, or since the loop was held up', () => {
    const { turns, turn } = started(0);
    turns.elapse(1000);
    expect(turn.sinceMs).toBe(turns.nowMs());
    const startMs = turns.nowMs();
    turn.count();
    turns.elapse(300);
    expect(turn.sinceMs).toBe(startMs);
    turns.turn();
    expect(turn.sinceMs).toBe(turns.nowMs());
    turn.stalled(startMs);
    turn.count();
    expect(turn.sinceMs).toBe(startMs);
    turns.turn();
    expect(turn.sinceMs).toBe(turns.nowMs());
  });

  it('leaves waiting work to the next turns, at least one piece and 10 ms of work each', () => {
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
