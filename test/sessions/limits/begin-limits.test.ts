import { describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../../src/engines/memory.ts';
import { SluiceError } from '../../../src/errors.ts';
import { BeginLimits } from '../../../src/sessions/limits/begin-limits.ts';
import { numberingsKept } from '../../../src/topics/idle-topics.ts';
import type { Payer } from '../../../src/topics/payer.ts';
import { readAtOnce } from '../../support/arrival.ts';
import { fields, openBroker, summary } from '../../topics/fixtures.ts';

const burst = 10_000;
const user: Payer = { account: 'user a', isVerified: true };
const key: Payer = { account: 'key k', isVerified: true, isOperator: true };
const session = (id: string, address: string): Payer => ({ account: id, isVerified: false, address });

const maxAgeMs = 1000;

/** A broker whose topics lose their content after a second, and are then removed. */
async function makeLimits(rates: { perSecond?: number; topicsMaxPerClient?: number } = {}) {
  const clock = { nowMs: 1_000_000 };
  const now = () => clock.nowMs;
  const { perSecond = 1, topicsMaxPerClient = 100 } = rates;
  const limits = new BeginLimits(
    { newTopicsPerSecondPerClient: perSecond, topicsMaxPerClient },
    readAtOnce(now),
  );
  const engine = new MemoryEngine({ nowMs: now, isState: () => false });
  const { broker, counts } = await openBroker({
    engine,
    nowMs: now,
    monotonicMs: now,
    topicsMax: 1e6,
    topicsMaxPerClient: 1e6,
    topicsMaxBytesPerClient: 1e12,
    topic: { maxAgeMs },
    makers: {
      take: (maker) => limits.take(maker),
      giveBack: (maker) => limits.spend(maker, -1),
      made: () => undefined,
      published: () => undefined,
    },
  });
  let made = 0;
  const publish = async (payer: Payer | undefined, ...topics: string[]) => {
    const publishes = topics.map((topic) => fields(topic));
    return (await broker.publish(publishes, payer)).map((each) => each.ok || each.error);
  };
  /** Begins `count` new topics. Returns how many of them began, and the wait of those that were refused. */
  const begin = async (payer: Payer | undefined, count: number) => {
    const outcomes = await publish(payer, ...Array.from({ length: count }, () => `new:${made++}`));
    const refused = outcomes.filter((each) => each instanceof SluiceError);
    const waits = new Set(refused.map(({ code, retryAfterMs }) => `${code} ${retryAfterMs}`));
    return [count - refused.length, ...waits];
  };
  const ageOut = () => {
    clock.nowMs += maxAgeMs + 1;
    broker.sweep();
    limits.sweep();
    expect(broker.size).toBe(0);
  };
  return { broker, clock, counts, limits, publish, begin, ageOut };
}

describe('the topics that a client begins', () => {
  test.each([4, 5, 6])(
    'are 10 000 at once, and one a second: of %i where 5 are left, those above it are told to wait',
    async (count) => {
      const { clock, limits, begin, counts } = await makeLimits();
      limits.spend(user, burst - 5);
      expect(await begin(user, count)).toEqual(count > 5 ? [5, 'too_many_topics 1000'] : [count]);
      expect(counts.of('publishErrorsTotal')).toBe(Math.max(0, count - 5));
      await begin(user, 1);
      clock.nowMs += 999;
      expect(await begin(user, 1)).toEqual([0, 'too_many_topics 1']);
      clock.nowMs += 1;
      expect(await begin(user, 2)).toEqual([1, 'too_many_topics 1000']);
    },
  );

  test('are charged although their content is gone, and nothing but they is refused', async () => {
    const { limits, publish, begin, ageOut } = await makeLimits();
    await begin(user, 1);
    await publish(key, 'others');
    limits.spend(user, burst - 1);
    ageOut();
    expect(await begin(user, 5)).toEqual([1, 'too_many_topics 999']);
    // A topic whose numbering is kept goes on: it takes the place of none.
    expect(await publish(user, 'new:0', 'others')).toEqual([true, true]);
  });

  test('have no such limit if it is a key or the gateway', async () => {
    const { limits, begin } = await makeLimits();
    limits.spend(key, burst);
    for (const payer of [key, undefined]) expect(await begin(payer, 10)).toEqual([10]);
  });

  test('leave nine tenths of all numberings to others', async () => {
    const { broker, publish, begin, ageOut } = await makeLimits();
    await publish(key, 'quiet');
    const quiet = broker.find('quiet')?.position;
    ageOut();
    expect(await begin(user, burst)).toEqual([burst]);
    ageOut();
    for (let round = 0; round < 5; round++)
      expect(await begin(user, 100)).toEqual([round === 0 ? 1 : 0, expect.anything()]);
    expect(broker.commits.lastPosition('quiet')).toEqual(quiet);
    expect(10 * burst).toBe(numberingsKept);
  });

  test('are as many at once as it may have, and as many a second as configured', async () => {
    const { clock, limits, begin } = await makeLimits({ topicsMaxPerClient: burst + 10, perSecond: 50 });
    limits.spend(user, burst);
    expect(await begin(user, 11)).toEqual([10, 'too_many_topics 20']);
    clock.nowMs += 1000;
    expect(await begin(user, 51)).toEqual([50, 'too_many_topics 20']);
  });

  test('of clients without a key or token are as many as of one client, and half of them of one address', async () => {
    const { limits, begin } = await makeLimits();
    const [a, b] = [session('s1', 'address a'), session('s2', 'address b')];
    limits.spend({ account: 'address a', isVerified: false }, burst / 2 - 1);
    expect(await begin(a, 2)).toEqual([1, 'too_many_topics 1000']);
    expect(await begin(session('s3', 'address a'), 1)).toEqual([0, 'too_many_topics 1000']);
    limits.spend({ account: 'address b', isVerified: false }, burst / 2 - 2);
    expect(await begin(b, 1)).toEqual([1]);
    expect(await begin(session('s4', 'address c'), 2)).toEqual([1, 'too_many_topics 1000']);
    // What all may begin is used up: an address is not charged for what is refused.
    expect(await begin(b, 1)).toEqual([0, 'too_many_topics 1000']);
    expect(await begin(user, 1)).toEqual([1]);
  });

  test.each([
    { owed: 59, waitsMs: 60_000 },
    { owed: 60, waitsMs: 61_000 },
    { owed: 61, waitsMs: 61_000 },
    { owed: 1e9, waitsMs: 61_000 },
  ])(
    'are refused for a minute at most, though other nodes tell of $owed too many',
    async ({ owed, waitsMs }) => {
      const { clock, limits, begin } = await makeLimits();
      const anonymous = session('s1', 'address a');
      limits.spend(user, burst + owed);
      limits.spend({ account: 'address a', isVerified: false }, burst / 2 + owed);
      for (const payer of [user, anonymous])
        expect(await begin(payer, 1)).toEqual([0, `too_many_topics ${waitsMs}`]);
      clock.nowMs += waitsMs;
      // Those of `anonymous` are charged to all without a key or token, too, who have waited as long.
      for (const payer of [user, anonymous])
        expect(await begin(payer, 2)).toEqual([1, 'too_many_topics 1000']);
    },
  );

  test('stay refused until the end of a call, whose other publications are accepted', async () => {
    const { limits, publish, begin, ageOut } = await makeLimits();
    await begin(user, 1);
    await publish(key, 'there');
    ageOut();
    await publish(key, 'filled');
    limits.spend(user, burst - 1);
    const codes = async (...topics: string[]) =>
      (await publish(user, ...topics)).map((each) => (each instanceof SluiceError ? each.code : each));
    const refused = 'too_many_topics';
    expect(await codes('a', 'b', 'filled', 'there', 'a', 'b', 'new:0')).toEqual([
      ...[true, refused, true, true, true, refused, true],
    ]);
  });

  test('cost nothing where they do not begin', async () => {
    const { broker, limits, begin } = await makeLimits();
    limits.spend(user, burst - 1);
    const expected = { epoch: 'another', offset: 7 };
    for (let i = 0; i < 3; i++)
      expect(summary(await broker.publish([fields('t')], user, expected))).toEqual(['position_conflict']);
    expect(await begin(user, 2)).toEqual([1, 'too_many_topics 1000']);
  });
});
