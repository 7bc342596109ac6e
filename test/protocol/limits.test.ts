import { describe, expect, it } from 'vitest';
import type { ClientFrame } from '../../src/protocol/client-frames.ts';
import { filterMaxDepth, filterMaxNodes } from '../../src/protocol/filter-fields.ts';
import type { Filter } from '../../src/protocol/frames.ts';
import { lastInstantMs } from '../../src/protocol/integers.ts';
import { nullPayload } from '../../src/protocol/payload.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import { codecs } from '../support/codecs.ts';

const leaf: Filter = { op: 'exists', tag: 'a' };
const nested = (depth: number): Filter => (depth === 1 ? leaf : { op: 'not', filters: [nested(depth - 1)] });
const wide = (nodes: number): Filter => ({
  op: 'and',
  filters: Array.from({ length: nodes - 1 }, () => leaf),
});
const subscribe = (filter: Filter): ClientFrame => ({
  kind: 'subscribe',
  id: 1,
  subscriptions: [{ topic: 'x', filter }],
});
const since = (offset: number): ClientFrame => ({
  kind: 'subscribe',
  id: 1,
  subscriptions: [{ topic: 'x', since: { epoch: 'e', offset } }],
});
const publish = {
  kind: 'publish',
  id: 1,
  ...publishOf({ topic: 'x', type: 'y', payload: nullPayload }),
} as const;

describe.each(Object.values(codecs))('the $name codec', (codec) => {
  const decode = (frame: ClientFrame) => codec.decodeClientFrame(codec.encodeClientFrame(frame));

  it.each<[string, ClientFrame, ClientFrame, string]>([
    [
      'the depth of a filter',
      subscribe(nested(filterMaxDepth)),
      subscribe(nested(filterMaxDepth + 1)),
      'invalid_filter',
    ],
    [
      'the nodes of a filter',
      subscribe(wide(filterMaxNodes)),
      subscribe(wide(filterMaxNodes + 1)),
      'invalid_filter',
    ],
    [
      'the nodes of a filter of many branches',
      subscribe({ op: 'or', filters: [wide(31), wide(32)] }),
      subscribe({ op: 'or', filters: [wide(32), wide(32)] }),
      'invalid_filter',
    ],
    [
      'the length of a string',
      { kind: 'presence', id: 1, topic: 'x'.repeat(1024) },
      { kind: 'presence', id: 1, topic: 'x'.repeat(1025) },
      'invalid_request',
    ],
    [
      'the length of a token',
      { kind: 'refresh', id: 1, token: 'x'.repeat(16_384) },
      { kind: 'refresh', id: 1, token: 'x'.repeat(16_385) },
      'unauthorized',
    ],
    [
      'the entries of a list',
      { kind: 'unsubscribe', id: 1, views: Array.from({ length: 1000 }, () => 1) },
      { kind: 'unsubscribe', id: 1, views: Array.from({ length: 1001 }, () => 1) },
      'invalid_request',
    ],
    [
      'offsets',
      { kind: 'history', id: 1, topic: 'x', after: Number.MAX_SAFE_INTEGER },
      { kind: 'history', id: 1, topic: 'x', after: 2 ** 53 },
      'invalid_request',
    ],
  ])('bounds %s', (_what, fits, exceeds, code) => {
    expect(decode(fits)).toMatchObject({ ok: true });
    expect(decode(exceeds)).toMatchObject({ ok: false, code, id: 1 });
  });

  it.each([0, 127, 128, 2 ** 28, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 35, Number.MAX_SAFE_INTEGER])(
    'takes the offset %d for what it is',
    (offset) => {
      expect(decode({ kind: 'history', id: 1, topic: 'x', after: offset })).toMatchObject({
        frame: { after: offset },
      });
      expect(decode(since(offset))).toMatchObject({
        frame: { subscriptions: [{ since: { epoch: 'e', offset } }] },
      });
    },
  );

  it.each([-1, -(2 ** 32), Number.MIN_SAFE_INTEGER])('refuses the offset %d', (offset) => {
    const refusal = { ok: false, code: 'invalid_request', id: 1 };
    expect(decode({ kind: 'history', id: 1, topic: 'x', after: offset })).toMatchObject(refusal);
    expect(decode(since(offset))).toMatchObject(refusal);
  });

  it('takes times up to the year 9999', () => {
    expect(decode({ ...publish, timestampMs: lastInstantMs })).toMatchObject({ ok: true });
    expect(decode({ ...publish, timestampMs: lastInstantMs + 1 })).toMatchObject({
      ok: false,
      code: 'invalid_request',
    });
  });

  it('tells offset 0 from no offset', () => {
    expect(decode({ kind: 'history', id: 1, topic: 'x', after: 0 })).toMatchObject({ frame: { after: 0 } });
    expect(decode({ ...publish, expectedOffset: 0 })).toMatchObject({ frame: { expectedOffset: 0 } });
    expect(decode(publish)).toMatchObject({ frame: { expectedOffset: undefined } });
  });

  it('survives a filter far deeper than the limit', () => {
    const decoded = decode(subscribe(nested(60)));
    expect(decoded.ok).toBe(false);
  });
});
