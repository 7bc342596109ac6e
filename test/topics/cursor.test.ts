import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Cursor,
  cursorMaxLength,
  exceptionKey,
  exceptionsMax,
  formatCursor,
  type Progress,
  parseCursor,
  Resumption,
  subscriptionsKey,
} from '../../src/topics/cursor.ts';
import { isPattern, reaches } from '../../src/topics/topic-name.ts';

const plain: Cursor = { epoch: 'Abc-_123', seq: 1234, lacksValues: false };
const stream = { session: 'abcdefghijkl', subscriptions: subscriptionsKey(['a', 'b']) };

function withExceptions(count: number): Cursor {
  const entries = Array.from({ length: count }, (_, i) => [
    exceptionKey('pattern:*', `pattern:${i}`),
    { seq: Number.MAX_SAFE_INTEGER - i, lacksValues: i % 2 === 0 },
  ]);
  const exceptions = new Map(entries as [string, { seq: number; lacksValues: boolean }][]);
  return { ...plain, seq: Number.MAX_SAFE_INTEGER, exceptions, stream };
}

describe('a cursor', () => {
  test.each([
    ['of a pattern', plain],
    ['that lacks values', { ...plain, lacksValues: true }],
    ['at no commit', { ...plain, seq: 0 }],
    ['of a stream', { ...plain, stream }],
    ['with one exception', withExceptions(1)],
    ['with all exceptions that it takes', withExceptions(exceptionsMax)],
  ])('%s is read as it was written, and has at most 1 kB', (_, cursor) => {
    const text = formatCursor(cursor);
    expect(parseCursor(text)).toEqual(cursor);
    expect(text.length).toBeLessThanOrEqual(cursorMaxLength);
    expect(encodeURIComponent(text).replaceAll('%40', '@')).toBe(text);
  });

  test.each([
    '',
    'Abc',
    'Abc.',
    '.1',
    'Abc.-1',
    'Abc.01',
    'Abc.1!!',
    'Abc.zzzzzzzzzzzz',
    'Abc.1~short.1',
    'Abc.1~12345678',
    'Abc.1~12345678.zzzzzzzzzzzz',
    'Abc.1@session',
    'Abc.1@session.short',
    'Abc.1@se ssion.12345678',
    `${'a'.repeat(cursorMaxLength)}.1`,
  ])('is none of the text %j', (text) => {
    expect(parseCursor(text)).toBeUndefined();
  });

  test('of several subscriptions to one topic has the earliest of their positions', () => {
    const key = exceptionKey('a');
    const cursor = parseCursor(`Abc.z~${key}.9~${key}.5!~${key}.7`) as Cursor;
    expect(new Resumption(cursor, 'a', 'a 0').base).toEqual({ seq: 5, lacksValues: true });
  });
});

describe('what a cursor says of a subscription', () => {
  const at = (seq: number) => ({ seq, lacksValues: false });
  const cursor: Cursor = {
    ...plain,
    seq: 100,
    exceptions: new Map([
      [exceptionKey('a'), at(90)],
      [exceptionKey('b:*'), at(80)],
      [exceptionKey('b:*', 'b:1'), at(95)],
    ]),
  };

  test('is the position of its topic, of the topic in its pattern, or of everything', () => {
    const had = (target: string, topic: string) =>
      new Resumption(cursor, target, `${target} 0`).of(topic).seq;
    expect(new Resumption(cursor, 'a', 'a 0').base.seq).toBe(90);
    expect(had('b:*', 'b:1')).toBe(95);
    expect(had('b:*', 'b:2')).toBe(80);
    expect(new Resumption(cursor, 'b:1', 'b:1 0').base.seq).toBe(100);
    expect(had('c:*', 'b:1')).toBe(100);
    expect(new Resumption(cursor, 'c', 'c 0').lowest).toEqual(at(80));
  });
});

describe('a cursor of a stream', () => {
  const targets = ['a', 'p:1', 'p:2', 'p:1*', 'p:*', '*'];
  const topics = ['a', 'p:1', 'p:2', 'p:11'];
  const seq = fc.integer({ min: 1, max: 100 });
  const position = fc.option(seq, { nil: undefined });
  const subscription = fc.record({
    target: fc.constantFrom(...targets),
    base: position,
    topics: fc.dictionary(fc.constantFrom(...topics), seq),
  });
  type Lagging = { readonly target: string; readonly base: number | undefined; readonly topics: object };
  const hadBy = ({ target, base, topics }: Lagging, topic: string) => {
    if (!reaches(target, topic)) return [];
    const own = isPattern(target) ? new Map(Object.entries(topics)).get(topic) : undefined;
    return [own ?? base ?? 100];
  };
  const cursorOf = (subscriptions: readonly Lagging[]): Cursor => {
    const exceptions = new Map<string, Progress>();
    for (const { target, base, topics } of subscriptions) {
      if (base !== undefined) exceptions.set(exceptionKey(target), { seq: base, lacksValues: false });
      for (const [topic, seq] of Object.entries(topics))
        if (isPattern(target) && reaches(target, topic))
          exceptions.set(exceptionKey(target, topic), { seq, lacksValues: false });
    }
    return { ...plain, seq: 100, exceptions, stream };
  };

  test('never skips what the former subscriptions were not sent, whichever subscriptions go on with it', () => {
    const former = fc.uniqueArray(subscription, { selector: ({ target }) => target, minLength: 1 });
    fc.assert(
      fc.property(former, fc.constantFrom(...targets), fc.constantFrom(...topics), (had, target, topic) => {
        const before = had.flatMap((each) => hadBy(each, topic));
        fc.pre(before.length > 0 && reaches(target, topic));
        const { seq } = new Resumption(cursorOf(had), target, target).of(topic);
        expect(seq).toBeLessThanOrEqual(Math.max(...before));
      }),
    );
  });

  test('is exact for a subscription that goes on as it was, also beside others', () => {
    const [wide, narrow] = [
      { target: 'p:*', base: 50, topics: { 'p:1': 70 } },
      { target: 'p:2', base: 90, topics: {} },
    ];
    const resumption = new Resumption(cursorOf([wide, narrow]), 'p:*', 'p:*');
    expect(['p:1', 'p:2', 'p:3'].map((topic) => resumption.of(topic).seq)).toEqual([70, 50, 50]);
  });
});

test('the key of subscriptions depends on what they are, not on their order', () => {
  expect(subscriptionsKey(['a', 'b'])).toBe(subscriptionsKey(['b', 'a']));
  expect(subscriptionsKey(['a', 'b'])).not.toBe(subscriptionsKey(['a b']));
});
