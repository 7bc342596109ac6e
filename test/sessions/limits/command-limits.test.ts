import { describe, expect, test } from 'vitest';
import type { Connection } from '../../../src/sessions/connection.ts';
import { CommandLimits, refusalRate } from '../../../src/sessions/limits/command-limits.ts';
import { TokenRate } from '../../../src/sessions/limits/token-bucket.ts';
import { Session, type SessionContext } from '../../../src/sessions/session.ts';
import { readAtOnce } from '../../support/arrival.ts';

function makeLimits(perSecond: number) {
  const clock = { nowMs: 0, workMs: 0 };
  const turn = {
    isFlooded: false,
    isLong: false,
    get sinceMs() {
      return clock.nowMs;
    },
  };
  const limits = new CommandLimits(
    perSecond,
    readAtOnce(() => clock.nowMs),
    () => clock.workMs,
  );
  const commandRate = new TokenRate(perSecond, perSecond);
  const session = (payer: string) => {
    const identity = { user: payer, permissions: [], scopes: [] };
    const peer = {
      identity,
      address: '',
      addressKey: '',
      seat: { move: () => undefined, leave: () => undefined },
    };
    const context = {
      originMs: 0,
      monotonicMs: () => clock.nowMs,
      commandRate,
      refusalRate: refusalRate(perSecond),
      turn,
    } as unknown as SessionContext;
    return new Session(payer, peer, 0, {} as Connection, context);
  };
  const work = (of: Session, ms: number) =>
    limits.timed(of, () => {
      clock.workMs += ms;
    });
  return { clock, turn, limits, session, work };
}

describe('the time that commands take', () => {
  test('is a millisecond a command of the rate; a payer in debt waits until it is paid', () => {
    const { clock, limits, session, work } = makeLimits(100);
    const a = session('a');
    work(a, 99);
    expect(limits.take(a)).toBe(0);
    work(a, 60);
    const waitMs = limits.take(a);
    expect(waitMs).toBeGreaterThan(0);
    clock.nowMs += waitMs - 1;
    expect(limits.take(a)).toBeGreaterThan(0);
    clock.nowMs += 1;
    expect(limits.take(a)).toBe(0);
  });

  test('is not the time that passes while other processes run', () => {
    const { clock, limits, session } = makeLimits(100);
    const a = session('a');
    limits.timed(a, () => {
      clock.nowMs += 300;
      clock.workMs += 99;
    });
    expect(limits.take(a)).toBe(0);
  });

  test('is charged to all sessions of a payer, and to no other', () => {
    const { limits, session, work } = makeLimits(100);
    const [one, two] = [session('a'), session('a')];
    work(one, 300);
    expect(limits.take(two)).toBeGreaterThan(0);
    expect(limits.take(session('b'))).toBe(0);
  });

  test('is charged though the command fails', () => {
    const { clock, limits, session } = makeLimits(100);
    const a = session('a');
    const failing = () => {
      clock.workMs += 300;
      throw new Error('as it does');
    };
    expect(() => limits.timed(a, failing)).toThrow('as it does');
    expect(limits.take(a)).toBeGreaterThan(0);
  });

  test('includes large replies', () => {
    const { limits, session } = makeLimits(100);
    const a = session('a');
    limits.replied(a, 19 * 2 ** 20);
    expect(limits.take(a)).toBe(0);
    limits.replied(a, 2 * 2 ** 20);
    expect(limits.take(a)).toBeGreaterThan(0);
  });
});

describe('refusals', () => {
  test.each([
    [20, 1000],
    [200, 2000],
  ])('with a rate of %i are given %i times at once', (rate, times) => {
    const { clock, limits, session } = makeLimits(rate);
    const a = session('a');
    for (let i = 0; i < times; i++) expect(limits.refused(a)).toBe(true);
    expect(limits.refused(a)).toBe(false);
    clock.nowMs += 100;
    for (let i = 0; i < rate; i++) expect(limits.refused(a)).toBe(true);
    expect(limits.refused(a)).toBe(false);
  });

  test('are fifty in a turn that their client has flooded', () => {
    const { turn, limits, session } = makeLimits(100);
    const a = session('a');
    turn.isFlooded = true;
    for (let i = 0; i < 50; i++) expect(limits.refused(a)).toBe(true);
    expect(limits.refused(a)).toBe(false);
  });
});
