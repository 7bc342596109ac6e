import { describe, expect, test } from 'vitest';
import { formerOfQuery, pollBody, readStreamBody } from '../../../src/api/stream-request.ts';
import { SluiceError } from '../../../src/errors.ts';
import { formatCursor } from '../../../src/topics/cursor.ts';
import { StreamReads } from '../../../src/transport/uws/stream-reads.ts';
import { FakeTurns } from '../../fanout/fixtures.ts';
import { RecordedMetrics } from '../../support/metrics.ts';

/** Each read takes 2 ms of the 5 that a turn has. `debts`: how long these accounts have to wait. */
function makeReads(debts: Readonly<Record<string, number>> = {}) {
  const turns = new FakeTurns();
  const counts = new RecordedMetrics();
  const spent: [string, number][] = [];
  const done: (number | string)[] = [];
  let nowMs = 0;
  const reads = new StreamReads({
    limits: {
      workWaitMs: (account) => debts[account] ?? 0,
      spent: (account, ms) => void spent.push([account, ms]),
    },
    workMs: () => nowMs,
    turns: {
      nowMs: () => nowMs,
      atTurnEnd: (run) => turns.atTurnEnd(run),
      beforeTurnEnd: (run) => turns.beforeTurnEnd(run),
      after: turns.after,
    },
    metrics: counts.metrics,
  });
  const read = (id: number, length: number, account?: string) =>
    reads.run(length, account, (refusal: SluiceError | undefined) => {
      if (refusal === undefined) nowMs += 2;
      done.push(refusal === undefined ? id : `${refusal.code} ${refusal.retryAfterMs}`);
    });
  /** Subscribes for 2 ms. */
  const subscribe = (account?: string) => {
    reads.timed(account, () => {
      nowMs += 2;
    });
  };
  return { turns, counts, spent, done, reads, read, subscribe };
}

describe('a long request for a stream', () => {
  test('waits for a turn that has time for it; a short one does not', () => {
    const { turns, done, read } = makeReads();
    for (let id = 1; id <= 7; id++) void read(id, 2048);
    void read(8, 2047);
    expect(done).toEqual([1, 2, 3, 8]);
    turns.turn();
    expect(done).toEqual([1, 2, 3, 8, 4, 5, 6]);
    turns.turn();
    expect(done).toEqual([1, 2, 3, 8, 4, 5, 6, 7]);
  });

  test('is charged to its client, and not read when that has no time left; a short one is', () => {
    const { counts, spent, done, read } = makeReads({ 'address a': 70 });
    void read(1, 2048, 'user u');
    void read(2, 2048, 'address a');
    void read(3, 2047, 'address a');
    void read(4, 2048);
    expect(done).toEqual([1, 'rate_limited 70', 3, 4]);
    expect(spent).toEqual([['user u', 2]]);
    expect(counts.of('rateLimitedTotal')).toBe(1);
  });
});

describe('the session that a query continues', () => {
  const stream = { session: 's1', subscriptions: 'subscrip' };
  const cursor = formatCursor({ epoch: 'e', seq: 1, lacksValues: false, stream });
  const escaped = encodeURIComponent(cursor);

  test.each([
    ['', '', undefined],
    [`cursor=${escaped}`, '', 's1'],
    [`topic=a&cursor=${escaped}&topic=b`, '', 's1'],
    [`lastEventId=${escaped}&former=s2`, '', 's1'],
    ['former=s2&topic=a', '', 's2'],
    ['former=s%32', '', 's2'],
    ['cursor=no-cursor&former=s2', '', undefined],
    ['topic=former=s2&xformer=s3', '', undefined],
    ['former=%E0%A4%A', '', expect.any(String)],
    ['former=s2', cursor, 's1'],
  ])('is found without reading the rest: %s, %s', (query, lastEventId, session) => {
    expect(formerOfQuery(query, lastEventId)).toEqual(session);
  });
});

describe('the subscriptions of a stream', () => {
  test.each([
    ['topic', 'a', 'must be a text or up to 1000 texts'],
    ['subscriptions', { topic: 'a' }, 'may have 1000 entries at most'],
  ])('are up to 1000 by the member %s', (member, entry, problem) => {
    const read = (count: number) => {
      const body = JSON.stringify({ [member]: Array.from({ length: count }, () => entry) });
      const asked = readStreamBody(pollBody, Buffer.from(body), '');
      return asked instanceof SluiceError ? asked.message : 'read';
    };
    expect([read(999), read(1000), read(1001)]).toEqual(['read', 'read', expect.stringContaining(problem)]);
  });

  test('are charged to its client', () => {
    const { spent, subscribe } = makeReads();
    subscribe('user u');
    subscribe();
    expect(spent).toEqual([['user u', 2]]);
  });

  test('are refused, and counted, to a client that has no time left', () => {
    const { counts, reads } = makeReads({ 'address a': 70 });
    expect(['address a', 'user u', undefined].map((account) => reads.refusal(account)?.retryAfterMs)).toEqual(
      [70, undefined, undefined],
    );
    expect(counts.of('rateLimitedTotal')).toBe(1);
  });
});
