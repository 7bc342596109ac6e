import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { MessageIds, publicationDigest } from '../../src/topics/idempotency.ts';
import {
  MessageIdBudget,
  messageIdBytes,
  messageIdLimits,
  messageIdWindowMs,
} from '../../src/topics/message-id-budget.ts';
import { gatewayPayer, type Payer } from '../../src/topics/payer.ts';
import { fields, json, summary } from './fixtures.ts';

function user(name: string): Payer {
  return { account: `user ${name}`, isVerified: true };
}

function session(name: string): Payer {
  return { account: `session ${name}`, isVerified: false };
}

/** Publishes with message ids to one topic; each that is new gets the next offset. */
class Publisher {
  readonly ids: MessageIds;
  nowMs = 0;
  #offset = 0;

  constructor(budget: MessageIdBudget) {
    this.ids = new MessageIds(budget);
  }

  /** The offset that it has got, that of the first with this id, or an error code. */
  publish(messageId: string, payer?: Payer, digest = 'd'): unknown {
    const offset = this.#offset + 1;
    const answer = this.ids.outcomeOf({ messageId, digest, payer, epoch: 'e', offset }, this.nowMs);
    if (answer !== undefined) return summary([answer])[0];
    this.#offset = offset;
    return offset;
  }
}

describe('message ids', () => {
  test('are remembered for five minutes and not a millisecond longer', () => {
    const to = new Publisher(new MessageIdBudget());
    to.publish('a');
    expect(messageIdWindowMs).toBe(300_000);
    to.nowMs = 299_999;
    expect([to.publish('a'), to.publish('a', undefined, 'other')]).toEqual([1, 'message_id_conflict']);
    to.nowMs = 300_000;
    expect(to.publish('a', undefined, 'other')).toBe(2);
  });

  test('are remembered however many others come', () => {
    const to = new Publisher(new MessageIdBudget());
    for (let i = 1; i <= 20_000; i++) to.publish(`m${i}`);
    expect([to.publish('m1'), to.publish('m20000')]).toEqual([1, 20_000]);
  });

  test('an id that is used anew after the window counts as the newest', () => {
    const to = new Publisher(new MessageIdBudget());
    to.publish('a');
    to.nowMs = 10;
    to.publish('b');
    to.nowMs = 300_000;
    expect(to.publish('a')).toBe(3);
    expect(to.ids.prune(300_010)).toBe(1);
    to.nowMs = 300_010;
    expect(to.publish('a')).toBe(3);
  });

  test('a new id makes room of all that are older than the window, in any topic', () => {
    const budget = new MessageIdBudget();
    const [a, b] = [new Publisher(budget), new Publisher(budget)];
    for (let i = 1; i <= 100; i++) a.publish(`m${i}`);
    b.nowMs = messageIdWindowMs;
    b.publish('later');
    expect([a.ids.size, b.ids.size, budget.bytesAt(b.nowMs)]).toEqual([0, 1, messageIdBytes]);
    expect(budget.payers).toBe(1);
  });

  test('that are used anew after the window are remembered again, in each topic apart', () => {
    const budget = new MessageIdBudget();
    const [a, b] = [new Publisher(budget), new Publisher(budget)];
    for (const to of [a, b]) to.publish('x');
    for (const to of [a, b]) {
      to.nowMs = messageIdWindowMs;
      expect([to.publish('x'), to.publish('x'), to.ids.size]).toEqual([2, 2, 1]);
    }
  });

  test('pruning returns how many live', () => {
    const to = new Publisher(new MessageIdBudget());
    to.publish('a');
    to.nowMs = 1;
    to.publish('b');
    expect([to.ids.prune(299_999), to.ids.prune(300_000), to.ids.prune(300_001)]).toEqual([2, 1, 0]);
  });

  test('of a store are remembered until their window ends, in whatever order topics are read', () => {
    const budget = new MessageIdBudget();
    const [old, young] = [new Publisher(budget), new Publisher(budget)];
    young.ids.restore('y', { offset: 1, digest: 'd', atMs: 5000 }, gatewayPayer, 10_000);
    old.ids.restore('x', { offset: 1, digest: 'd', atMs: 1000 }, gatewayPayer, 10_000);
    old.ids.restore(
      'gone',
      { offset: 1, digest: 'd', atMs: 10_000 - messageIdWindowMs },
      gatewayPayer,
      10_000,
    );
    expect([old.ids.size, young.ids.size]).toEqual([1, 1]);
    old.nowMs = 1000 + messageIdWindowMs - 1;
    expect(old.publish('x', undefined, 'other')).toBe('message_id_conflict');
    old.nowMs++;
    expect(old.publish('x', undefined, 'other')).toBe(1);
    expect(old.ids.prune(5000 + messageIdWindowMs)).toBe(1);
    expect(old.publish('x', undefined, 'other')).toBe(1);
  });

  test('of a store whose clock was ahead are forgotten in time all the same', () => {
    const { ids } = new Publisher(new MessageIdBudget());
    ids.restore('m', { offset: 1, digest: 'd', atMs: 3_600_000 }, gatewayPayer, 1000);
    expect([ids.prune(1000 + messageIdWindowMs - 1), ids.prune(1000 + messageIdWindowMs)]).toEqual([1, 0]);
  });
});

describe('the budget of message ids', () => {
  const bytes = messageIdBytes;
  const publish = (to: Publisher, payer: Payer, count: number, prefix = 'm') => {
    const ids = Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(2, '0')}`);
    return ids.filter((id) => to.publish(id, payer) !== 'rate_limited').length;
  };

  test.each([
    [9, 9],
    [10, 10],
    [11, 10],
  ])('of %d ids where a publisher may have ten, %d are taken', (count, taken) => {
    const to = new Publisher(new MessageIdBudget({ perPayer: 10 * bytes, total: 1000 * bytes }));
    expect(publish(to, user('a'), count)).toBe(taken);
    expect(publish(to, user('b'), 5, 'b')).toBe(5);
  });

  test('takes as much for a long id as for a short one', () => {
    const to = new Publisher(new MessageIdBudget({ perPayer: 2 * bytes, total: 100_000 }));
    const publishes = ['x'.repeat(200), 'y', 'z'].map((id) => to.publish(id, user('a')));
    expect(publishes).toEqual([1, 2, 'rate_limited']);
  });

  test('is by default enough for 2000 new ids a second of each publisher', () => {
    const { messageIdsMaxBytesPerClient: perPayer, messageIdsMaxBytes: total } = loadConfig({});
    expect({ perPayer, total }).toEqual(messageIdLimits);
    expect(perPayer / messageIdBytes).toBeGreaterThan((2000 * messageIdWindowMs) / 1000);
  });

  test('publishers without an identity have a quarter of the total together, whatever their number', () => {
    const budget = new MessageIdBudget({ perPayer: 10 * bytes, total: 400 * bytes });
    const to = new Publisher(budget);
    for (let i = 0; i < 1000; i++) publish(to, session(`${i}`), 12, `${i}-`);
    expect(budget.bytesAt(0)).toBeLessThanOrEqual(100 * messageIdBytes);
    expect(publish(to, user('a'), 12, 'a')).toBe(10);
  });

  test('verified publishers take no more than the total, whatever their number', () => {
    const budget = new MessageIdBudget({ perPayer: 10 * bytes, total: 100 * bytes });
    const to = new Publisher(budget);
    for (let i = 0; i < 1000; i++) publish(to, user(`${i}`), 12, `${i}-`);
    expect(budget.bytesAt(0)).toBeLessThanOrEqual(100 * bytes);
  });

  test('where many take all they can, there is room for one that comes later', () => {
    const to = new Publisher(new MessageIdBudget({ perPayer: 200 * bytes, total: 4 * 400 * bytes }));
    for (let i = 0; i < 99; i++)
      for (let payer = 0; payer < 10; payer++) to.publish(`${payer}-${i}`.slice(0, 3), session(`${payer}`));
    expect(publish(to, session('late'), 10, 'z')).toBe(10);
  });

  test('an id that turns out not to be remembered is given back, once, whatever is asked later', () => {
    const budget = new MessageIdBudget({ perPayer: 2 * bytes, total: 100 * bytes });
    const charged = [budget.charge(user('a'), 0), budget.charge(user('a'), 0)];
    expect(budget.refusal(user('a'), 0)).toBeDefined();
    for (const record of [...charged, ...charged]) budget.cancel(record);
    expect(budget.bytesAt(0)).toBe(0);
    budget.charge(user('a'), 1);
    expect(budget.bytesAt(messageIdWindowMs)).toBe(bytes);
    for (const record of charged) budget.cancel(record);
    expect([budget.bytesAt(messageIdWindowMs), budget.bytesAt(messageIdWindowMs + 1)]).toEqual([bytes, 0]);
  });

  test('a publisher that holds nothing is told when there is room again', () => {
    const budget = new MessageIdBudget({ perPayer: 10 * bytes, total: bytes });
    const to = new Publisher(budget);
    to.publish('m00', user('a'));
    expect(budget.refusal(user('b'), 1000)?.retryAfterMs).toBe(messageIdWindowMs - 1000);
    expect(budget.refusal(user('b'), messageIdWindowMs)).toBeUndefined();
  });
});

describe('digest of a publication', () => {
  const base = fields('t', { key: 'k', tags: { a: '1', b: '2' }, payload: json({ n: 1 }) });

  test('does not depend on the order of tags', () => {
    expect(publicationDigest({ ...base, tags: { b: '2', a: '1' } })).toBe(publicationDigest(base));
  });

  test('does not depend on the session that does not get it', () => {
    expect(publicationDigest({ ...base, except: 's' })).toBe(publicationDigest(base));
  });

  test('does not tell an empty member from an absent one, which are the same to subscribers', () => {
    const absent = { ...base, key: undefined, tags: undefined, removed: undefined };
    const empty = { ...base, key: '', tags: {}, removed: false };
    expect(publicationDigest(empty)).toBe(publicationDigest(absent));
  });

  test('does not depend on the message id', () => {
    expect(publicationDigest({ ...base, messageId: 'x' })).toBe(publicationDigest(base));
  });

  test.each([
    ['type', { type: 'other' }],
    ['key', { key: 'other' }],
    ['absence of the key', { key: undefined }],
    ['tags', { tags: { a: '1' } }],
    ['removed', { removed: true }],
    ['payload', { payload: json({ n: 2 }) }],
    ['format', { payload: { format: 'binary', bytes: base.payload.bytes } }],
  ] as const)('depends on the %s', (_, change) => {
    expect(publicationDigest({ ...base, ...change })).not.toBe(publicationDigest(base));
  });
});
