import { describe, expect, test } from 'vitest';
import { SluiceError } from '../../../src/errors.ts';
import { caps, type Holder, type TakenSeat } from '../../../src/sessions/admission/connection-caps.ts';
import {
  ConnectionLimits,
  type ConnectionLimitsOptions,
} from '../../../src/sessions/admission/connection-limits.ts';
import { readAtOnce } from '../../support/arrival.ts';
import { growthBytes } from '../../support/memory.ts';
import { wideLimits } from '../../support/wide-limits.ts';

function makeLimits(options: Partial<ConnectionLimitsOptions> = {}) {
  const clock = { nowMs: 0 };
  const limits = new ConnectionLimits(
    { ...wideLimits, ...options },
    readAtOnce(() => clock.nowMs),
  );
  const take = (addressKey: string, more: Omit<Holder, 'addressKey'> = {}) => {
    const seat = limits.take({ addressKey, ...more }) as TakenSeat | SluiceError;
    if (seat instanceof SluiceError) throw seat;
    return seat;
  };
  const problem = (addressKey: string, more: Omit<Holder, 'addressKey'> = {}) =>
    limits.problem({ addressKey, ...more })?.code;
  const handshake = (addressKey: string) => limits.handshakeProblem({ addressKey });
  const outlook = (addressKey: string) => limits.outlook({ addressKey });
  return { limits, clock, take, problem, handshake, outlook };
}

const unauthenticated = true;

describe('the caps on connections', () => {
  test.each(caps)('$limit admits as many connections as it says, and refuses the next one', (cap) => {
    const { limits } = makeLimits({ [cap.limit]: 2 });
    const holders: Holder[] = [
      { addressKey: 'a', user: 'u' },
      { addressKey: 'a', unauthenticated },
    ];
    const holder = holders.find((each) => cap.keyOf(each) !== undefined)!;
    const answers = [1, 2, 3].map(() => limits.take(holder));
    expect(answers.map((answer) => answer instanceof SluiceError && answer.code)).toEqual([
      false,
      false,
      cap.code,
    ]);
  });

  test('a place that is refused by one cap is taken under none', () => {
    const { limits, take, problem } = makeLimits({
      connectionsMaxPerUser: 1,
      connectionsMaxPerIp: 2,
      connectionsMax: 3,
    });
    take('a', { user: 'u' });
    expect(limits.take({ addressKey: 'b', user: 'u' })).toBeInstanceOf(SluiceError);
    take('b');
    expect(problem('b')).toBeUndefined();
    take('b');
    expect(problem('c')).toBe('too_many_connections');
  });

  test('a question takes no place', () => {
    const { take, handshake } = makeLimits({ connectionsMax: 1 });
    for (let i = 0; i < 3; i++) expect(handshake('a')).toBeUndefined();
    take('a');
    expect(handshake('a')?.code).toBe('too_many_connections');
  });
});

describe('a seat', () => {
  test('gives its place back once, however often it is told', () => {
    const { take, problem } = makeLimits({ connectionsMax: 2, connectionsMaxPerUser: 2 });
    const seat = take('a', { user: 'u' });
    take('a', { user: 'u' });
    seat.leave();
    seat.leave();
    take('a', { user: 'v' });
    expect(problem('a')).toBe('too_many_connections');
    expect(seat.move({ addressKey: 'a', user: 'v' })).toBeUndefined();
    expect(problem('a', { user: 'v' })).toBe('too_many_connections');
  });

  test('moves to the place of another user, and gives that of the first one back', () => {
    const { take, problem } = makeLimits({ connectionsMaxPerUser: 1 });
    const seat = take('a', { user: 'u' });
    expect(seat.move({ addressKey: 'a', user: 'u' })).toBeUndefined();
    expect(seat.move({ addressKey: 'a', user: 'v' })).toBeUndefined();
    expect([problem('b', { user: 'u' }), problem('b', { user: 'v' })]).toEqual([
      undefined,
      'too_many_connections_of_user',
    ]);
  });

  test('keeps its place if the other one is not free', () => {
    const { take, problem } = makeLimits({ connectionsMaxPerUser: 1, connectionsMax: 3 });
    take('a', { user: 'v' });
    const seat = take('a', { user: 'u' });
    expect(seat.move({ addressKey: 'a', user: 'v' })?.code).toBe('too_many_connections_of_user');
    expect(problem('b', { user: 'u' })).toBe('too_many_connections_of_user');
    expect(problem('b')).toBeUndefined();
    seat.leave();
    expect(problem('b', { user: 'u' })).toBeUndefined();
  });
});

describe('connections that have not authenticated', () => {
  test('have a cap of their own, and move to the other one', () => {
    const { limits, take, problem } = makeLimits({ unauthenticatedMaxPerIp: 2, connectionsMaxPerIp: 1 });
    const first = take('a', { unauthenticated });
    expect(problem('a', { unauthenticated })).toBeUndefined();
    const second = take('a', { unauthenticated });
    expect(limits.problem({ addressKey: 'a', unauthenticated })).toMatchObject({
      code: 'too_many_connections_from_ip',
      message: expect.stringContaining('not authenticated'),
    });
    expect([problem('b', { unauthenticated }), problem('a')]).toEqual([undefined, undefined]);
    expect(first.move({ addressKey: 'a' })).toBeUndefined();
    expect(problem('a', { unauthenticated })).toBeUndefined();
    expect(second.move({ addressKey: 'a' })?.code).toBe('too_many_connections_from_ip');
    first.leave();
    expect(second.move({ addressKey: 'a' })).toBeUndefined();
  });

  test('count among all connections', () => {
    const { take, problem } = makeLimits({ connectionsMax: 1 });
    take('a', { unauthenticated });
    expect(problem('b')).toBe('too_many_connections');
  });
});

describe('the rate of handshakes', () => {
  test('takes each handshake from the bucket of its address, also one that is refused', () => {
    const { clock, take, handshake } = makeLimits({ handshakesPerSecondPerIp: 2, connectionsMaxPerIp: 2 });
    take('a');
    take('a');
    expect(handshake('a')?.code).toBe('too_many_connections_from_ip');
    expect(handshake('a')?.code).toBe('too_many_connections_from_ip');
    expect(handshake('a')).toMatchObject({ code: 'rate_limited', retryAfterMs: 500 });
    expect(handshake('b')).toBeUndefined();
    clock.nowMs += 500;
    expect(handshake('a')?.code).toBe('too_many_connections_from_ip');
  });

  test('the outlook says what a handshake would be told, and takes none', () => {
    const { clock, handshake, outlook } = makeLimits({ handshakesPerSecondPerIp: 3, connectionsMaxPerIp: 1 });
    const outlooks = () => Array.from({ length: 5 }, () => outlook('a')?.code);
    const all = (code?: string) => Array.from({ length: 5 }, () => code);
    for (let taken = 0; taken < 3; taken++) {
      expect(outlooks()).toEqual(all());
      expect(handshake('a')).toBeUndefined();
    }
    expect(outlooks()).toEqual(all('rate_limited'));
    expect(outlook('a')).toMatchObject({ retryAfterMs: 334 });
    clock.nowMs += 333;
    expect(outlooks()).toEqual(all('rate_limited'));
    clock.nowMs += 1;
    expect(outlooks()).toEqual(all());
    expect(handshake('a')).toBeUndefined();
    expect(outlooks()).toEqual(all('rate_limited'));
  });

  test('the outlook knows of full places, and of addresses that never came', () => {
    const { take, outlook } = makeLimits({ connectionsMax: 2, connectionsMaxPerIp: 1 });
    take('a');
    expect([outlook('a')?.code, outlook('b')]).toEqual(['too_many_connections_from_ip', undefined]);
    take('b');
    expect(outlook('c')?.code).toBe('too_many_connections');
  });

  test('lets all connections of an address come back in one burst', () => {
    const { handshake } = makeLimits({ handshakesPerSecondPerIp: 1, connectionsMaxPerIp: 50 });
    for (let i = 0; i < 50; i++) expect(handshake('a')).toBeUndefined();
    expect(handshake('a')?.code).toBe('rate_limited');
  });

  test('an address is not forgotten, and so forgiven, before its bucket is full', () => {
    const { limits, clock, handshake } = makeLimits({ handshakesPerSecondPerIp: 1, connectionsMaxPerIp: 1 });
    handshake('a');
    clock.nowMs += 999;
    limits.sweep();
    expect(handshake('a')?.code).toBe('rate_limited');
    clock.nowMs += 1;
    limits.sweep();
    expect(handshake('a')).toBeUndefined();
  });
});

test('addresses that are gone and whose bucket is full are forgotten', () => {
  const { limits, clock, take, handshake } = makeLimits({
    connectionsMax: 20_000,
    handshakesPerSecondPerIp: 1,
    connectionsMaxPerIp: 1,
  });
  const growth = growthBytes('heapUsed', () => {
    const seats = Array.from({ length: 20_000 }, (_, i) => {
      const address = `2001:db8:${i}::/64`;
      handshake(address);
      return take(address, { user: address, unauthenticated: i % 2 === 0 });
    });
    for (const seat of seats) seat.leave();
    clock.nowMs += 1000;
    limits.sweep();
  });
  // One table that keeps them takes 2 MB or more; other code of this process may have grown beside.
  expect(growth).toBeLessThan(1_000_000);
});
