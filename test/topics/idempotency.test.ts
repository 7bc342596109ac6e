import { describe, expect, test } from 'vitest';
import {
  MessageIds,
  messageIdsPerTopic,
  messageIdWindowMs,
  publicationDigest,
} from '../../src/topics/idempotency.ts';
import { fields, json } from './fixtures.ts';

function seen(offset: number, atMs: number) {
  return { offset, digest: 'd', atMs };
}

describe('message ids', () => {
  test('are remembered for five minutes and not a millisecond longer', () => {
    const ids = new MessageIds();
    ids.add('a', seen(1, 0));
    expect(messageIdWindowMs).toBe(300_000);
    expect(ids.get('a', 299_999)?.offset).toBe(1);
    expect(ids.get('a', 300_000)).toBeUndefined();
  });

  test('the last 10 000 are remembered, the oldest goes first', () => {
    const ids = new MessageIds();
    for (let i = 1; i <= messageIdsPerTopic; i++) ids.add(`m${i}`, seen(i, 0));
    expect(ids.get('m1', 0)?.offset).toBe(1);
    ids.add('one more', seen(10_001, 0));
    expect(ids.get('m1', 0)).toBeUndefined();
    expect(ids.get('m2', 0)?.offset).toBe(2);
    expect(ids.prune(0)).toBe(10_000);
  });

  test('an id that is used anew after the window counts as the newest', () => {
    const ids = new MessageIds();
    ids.add('a', seen(1, 0));
    ids.add('b', seen(2, 10));
    ids.add('a', seen(3, 300_000));
    expect(ids.prune(300_010)).toBe(1);
    expect(ids.get('a', 300_010)?.offset).toBe(3);
  });

  test('adding lets go of what is older than the window, so that busy topics do not hoard', () => {
    const ids = new MessageIds();
    for (let i = 1; i <= 100; i++) ids.add(`m${i}`, seen(i, 0));
    ids.add('later', seen(101, messageIdWindowMs));
    expect(ids.size).toBe(1);
  });

  test('pruning answers how many live', () => {
    const ids = new MessageIds();
    ids.add('a', seen(1, 0));
    ids.add('b', seen(2, 1));
    expect([ids.prune(299_999), ids.prune(300_000), ids.prune(300_001)]).toEqual([2, 1, 0]);
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
