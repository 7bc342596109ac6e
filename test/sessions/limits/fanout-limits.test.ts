import { describe, expect, test } from 'vitest';
import { FanoutLimits } from '../../../src/sessions/limits/fanout-limits.ts';
import type { Payer } from '../../../src/topics/payer.ts';
import { readAtOnce } from '../../support/arrival.ts';
import { fields, openBroker, summary } from '../../topics/fixtures.ts';

const user: Payer = { account: 'user a', isVerified: true };

/** A broker of which each publication takes `eachMs` to be sent. */
async function makeLimits(eachMs: number) {
  const clock = { nowMs: 0 };
  const limits = new FanoutLimits(
    readAtOnce(() => clock.nowMs),
    () => eachMs,
  );
  const { broker, counts } = await openBroker({
    chargeSending: (publish, topic, payer) => limits.charge(publish, topic, payer),
  });
  const publish = async (payer: Payer | undefined, count = 1) => {
    const outcomes = await broker.publish(
      Array.from({ length: count }, () => fields('a')),
      payer,
    );
    return outcomes.map((each) => each.ok || each.error.retryAfterMs);
  };
  return { clock, limits, broker, counts, publish };
}

describe('the time to send what a client publishes', () => {
  test.each([
    [49, []],
    [50, [4]],
    [300, [1004]],
  ])(
    'is 50 ms at once: of two publications that take %i ms each, the second is refused above it',
    async (ms, refused) => {
      const { publish } = await makeLimits(ms);
      expect(await publish(user, 2)).toEqual(refused.length === 0 ? [true, true] : [true, ...refused]);
    },
  );

  test('is 250 ms a second, as the client is told', async () => {
    const { clock, publish } = await makeLimits(50);
    expect(await publish(user, 2)).toEqual([true, 4]);
    clock.nowMs += 3;
    expect(await publish(user)).toEqual([1]);
    clock.nowMs += 1;
    expect(await publish(user)).toEqual([true]);
    expect(await publish(user)).toEqual([200]);
  });

  test('bounds a batch: those above it are refused, one by one', async () => {
    const { broker, counts } = await makeLimits(10);
    const outcomes = await broker.publish(
      Array.from({ length: 7 }, () => fields('a')),
      user,
    );
    expect(summary(outcomes).slice(3)).toEqual([4, 5, 'rate_limited', 'rate_limited']);
    expect(counts.of('rateLimitedTotal')).toBe(2);
  });

  test('is the same for the rest of a batch once one was refused: no later one overtakes it', async () => {
    const { clock, publish } = await makeLimits(50);
    expect(await publish(user, 2)).toEqual([true, 4]);
    let nowMs = 0;
    Object.defineProperty(clock, 'nowMs', { get: () => nowMs++ });
    expect(await publish(user, 8)).toEqual(Array(8).fill(4));
  });

  test('is charged to users apart, to sessions without a name by address, and to no operator', async () => {
    const { publish } = await makeLimits(200);
    const session = (account: string) => ({ account, isVerified: false, address: 'address x' });
    expect(await publish(user)).toEqual([true]);
    expect(await publish({ account: 'user b', isVerified: true })).toEqual([true]);
    expect(await publish(session('one'))).toEqual([true]);
    expect(await publish(session('two'))).toEqual([604]);
    expect(await publish({ account: 'address x', isVerified: false })).toEqual([604]);
    const operators = [undefined, { account: 'key k', isVerified: true, isOperator: true }];
    for (const payer of operators) expect(await publish(payer, 3)).toEqual([true, true, true]);
  });

  test('is charged for nothing where nothing hears', async () => {
    const { publish } = await makeLimits(0);
    expect(await publish(user, 1000)).toEqual(Array(1000).fill(true));
  });
});
