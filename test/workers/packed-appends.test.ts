import { expect, test } from 'vitest';
import { SluiceError } from '../../src/errors.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import type { AppendOutcome, AppendRequest } from '../../src/topics/engine.ts';
import {
  packOutcomes,
  packRequests,
  unpackOutcomes,
  unpackRequests,
} from '../../src/workers/packed-appends.ts';

const payload = { format: 'binary', bytes: Buffer.from([0, 255, 10]), lasts: true } as const;
const times = { publishedAtMs: 1_800_000_000_000.25, acceptedAtMs: 12.5 };

const requests: readonly AppendRequest[] = [
  {
    ...times,
    fields: publishOf({
      topic: 'jobs',
      type: 'job_progress',
      payload,
      key: 'k',
      messageId: '\ud800 é',
      except: 's1',
      tags: JSON.parse('{"__proto__":"a tag","level":"info"}') as Record<string, string>,
      ttlMs: 1000,
      timestampMs: -0.5,
      removed: true,
    }),
    timestampMs: 1_800_000_000_001,
    payer: { account: 'user:a', isVerified: true },
    expected: { epoch: '', offset: 0 },
    ifNewest: { epoch: 'E', offset: 2 ** 53 - 1 },
  },
  { ...times, fields: publishOf({ topic: 't', type: 'u', payload: { ...payload, bytes: Buffer.alloc(0) } }) },
];

test('requests arrive as they were sent', () => {
  const arrived = unpackRequests(packRequests(requests));
  expect(arrived.map(({ acceptedAtMs: _, ...request }) => request)).toEqual(
    requests.map(({ acceptedAtMs: _, ...request }) => request),
  );
  expect(Object.keys(arrived[0]?.fields.tags ?? {})).toEqual(['__proto__', 'level']);
  for (const { acceptedAtMs } of arrived) expect(acceptedAtMs).toBeCloseTo(12.5, 3);
});

test('outcomes arrive as they were sent', () => {
  const error = new SluiceError('rate_limited', 'é', { retryAfterMs: 5, details: [{ path: 'data' }] });
  const outcomes: readonly AppendOutcome[] = [
    { ok: true, epoch: 'E', offset: 7, duplicate: true },
    { ok: false, error },
    { ok: false, error: new SluiceError('internal') },
  ];
  const arrived = unpackOutcomes(packOutcomes(outcomes));
  expect(arrived).toEqual(outcomes);
  expect(arrived[1]).toHaveProperty('error.details', [{ path: 'data' }]);
});
