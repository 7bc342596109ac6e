import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import { type EvictionReason, Ring, type RingLimits } from '../../src/topics/ring.ts';
import { SegmentPool } from '../../src/topics/segment-pool.ts';
import { factsOf, fields, json, stored } from './fixtures.ts';

const roomy: RingLimits = { maxPublications: 1000, maxAgeMs: 60_000, maxBytes: 1_000_000 };

function makeRing(limits: Partial<RingLimits> = {}, newest = 0) {
  const evicted: [EvictionReason, number][] = [];
  const tell = (reason: EvictionReason, count: number) => evicted.push([reason, count]);
  const ring = new Ring({ ...roomy, ...limits }, new SegmentPool(), tell);
  ring.reset(newest, 0);
  return { ring, evicted };
}

function offsets(publications: readonly StoredPublication[]): number[] {
  return publications.map(({ offset }) => offset);
}

describe('ring', () => {
  test('an empty ring covers nothing and reaches to its newest offset', () => {
    const { ring } = makeRing({}, 7);
    expect([ring.count, ring.bytes, ring.newest, ring.reach]).toEqual([0, 0, 7, 7]);
    expect(ring.slice(0)).toEqual([]);
    expect(ring.findLast(() => true)).toBeUndefined();
  });

  test.each([0, 1, 3])('a publication must follow the newest: %i does not follow 1', (offset) => {
    const { ring } = makeRing({}, 1);
    expect(() => ring.push([stored(offset)])).toThrow(RangeError);
    expect(ring.count).toBe(0);
  });

  test('knows the commit of what follows an offset, and of what was evicted after it the newest', () => {
    const { ring } = makeRing({ maxPublications: 3 });
    for (let offset = 1; offset <= 5; offset++)
      ring.push([new StoredPublication(fields('t'), offset, 10 * offset, 0, 0)]);
    expect([0, 1, 2, 3, 4, 5].map((offset) => ring.seqAfter(offset))).toEqual([
      20,
      20,
      30,
      40,
      50,
      undefined,
    ]);
  });

  test('evicts the oldest above the limit of count, not at it', () => {
    const { ring, evicted } = makeRing({ maxPublications: 3 });
    for (let offset = 1; offset <= 3; offset++) ring.push([stored(offset)]);
    expect(evicted).toEqual([]);
    ring.push([stored(4)]);
    expect([offsets(ring.slice(0)), ring.reach, evicted]).toEqual([[2, 3, 4], 1, [['count', 1]]]);
  });

  test('evicts the oldest above the limit of bytes, not at it', () => {
    const { bytes } = stored(1);
    const { ring, evicted } = makeRing({ maxBytes: 2 * bytes });
    ring.push([stored(1)]);
    ring.push([stored(2)]);
    expect(evicted).toEqual([]);
    ring.push([stored(3)]);
    expect([offsets(ring.slice(0)), ring.bytes, evicted]).toEqual([[2, 3], 2 * bytes, [['bytes', 1]]]);
  });

  test('evicts as many as a large one takes the place of', () => {
    const large = { payload: json('x'.repeat(1000)) };
    const maxBytes = stored(6, large).bytes + 2 * stored(1).bytes;
    const { ring, evicted } = makeRing({ maxBytes });
    for (let offset = 1; offset <= 5; offset++) ring.push([stored(offset)]);
    ring.push([stored(6, large)]);
    expect([offsets(ring.slice(0)), ring.bytes, evicted]).toEqual([[4, 5, 6], maxBytes, [['bytes', 3]]]);
  });

  test('takes many at once, more than it keeps too, and tells once how many left', () => {
    const { ring, evicted } = makeRing({ maxPublications: 3 });
    ring.push([]);
    ring.push(Array.from({ length: 40 }, (_, i) => stored(i + 1)));
    expect([offsets(ring.slice(0)), ring.reach, evicted]).toEqual([[38, 39, 40], 37, [['count', 37]]]);
  });

  test('keeps the newest even when it alone is too large', () => {
    const { ring } = makeRing({ maxBytes: 10 });
    ring.push([stored(1)]);
    ring.push([stored(2, { payload: json('x'.repeat(100)) })]);
    expect(offsets(ring.slice(0))).toEqual([2]);
  });

  test('evicts by age what is older than the limit, not what is as old', () => {
    const { ring, evicted } = makeRing({ maxAgeMs: 100 });
    ring.push([stored(1, {}, 1000)]);
    ring.push([stored(2, {}, 1001)]);
    ring.evictAged(1100);
    expect(evicted).toEqual([]);
    ring.evictAged(1101);
    expect([offsets(ring.slice(0)), evicted]).toEqual([[2], [['age', 1]]]);
  });

  test.each([0, 1_000_000])(
    'a timestamp of the publisher’s, %i, makes nothing older or younger',
    (timestampMs) => {
      const { ring } = makeRing({ maxAgeMs: 100 });
      ring.push([stored(1, { timestampMs }, 1000)]);
      ring.evictAged(1100);
      expect(ring.count).toBe(1);
      ring.evictAged(1101);
      expect(ring.count).toBe(0);
    },
  );

  test('evicts everything at once, and what comes next follows', () => {
    const { ring, evicted } = makeRing();
    for (let offset = 1; offset <= 40; offset++) ring.push([stored(offset)]);
    ring.evictAll();
    expect([ring.count, ring.bytes, ring.newest, ring.reach, evicted]).toEqual([
      0,
      0,
      40,
      40,
      [['total', 40]],
    ]);
    ring.push([stored(41)]);
    expect(offsets(ring.slice(0))).toEqual([41]);
  });

  test('does not keep the body that a payload stood in', () => {
    const { ring } = makeRing();
    const body = new Uint8Array(100_000);
    ring.push([stored(1, { payload: { format: 'binary', bytes: body.subarray(5, 8) } })]);
    const [bytes] = ring.slice(0).map(({ payload }) => payload.bytes);
    expect(bytes).toEqual(new Uint8Array(3));
    expect(bytes?.buffer.byteLength).toBeLessThan(100);
  });

  test('evicting nothing reports nothing', () => {
    const { ring, evicted } = makeRing();
    ring.evictAll();
    ring.evictAged(1_000_000);
    expect(evicted).toEqual([]);
  });

  type Step =
    | { readonly do: 'push'; readonly each: readonly Partial<PublishFields>[]; readonly laterMs: number }
    | { readonly do: 'age'; readonly laterMs: number }
    | { readonly do: 'evictAll' }
    | { readonly do: 'reset'; readonly to: number };

  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  const parts: fc.Arbitrary<Partial<PublishFields>> = fc.record({
    payload: fc.record({
      format: fc.constantFrom('json' as const, 'binary' as const),
      bytes: fc.uint8Array({ maxLength: 160 }),
    }),
    key: optional(text),
    tags: optional(fc.dictionary(fc.string({ minLength: 1 }), text, { maxKeys: 2 })),
    except: optional(text),
    ttlMs: optional(fc.integer({ min: 1, max: 1000 })),
    timestampMs: optional(fc.nat()),
    removed: optional(fc.constant(true)),
  });
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        do: fc.constant('push' as const),
        each: fc.array(parts, { minLength: 1, maxLength: 3 }),
        laterMs: fc.nat(5),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('age' as const), laterMs: fc.nat(80) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('evictAll' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const), to: fc.nat(100) }) },
  );

  test('behaves like a plain array, whatever is pushed, evicted and reset', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 150 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 300, max: 8000 }),
        fc.nat(120),
        fc.nat(120),
        (steps, maxPublications, maxBytes, from, length) => {
          const limits = { maxPublications, maxBytes, maxAgeMs: 40 };
          const { ring, evicted } = makeRing(limits);
          let model: StoredPublication[] = [];
          let newest = 0;
          let nowMs = 1000;
          let gone = 0;
          const bytes = () => model.reduce((sum, publication) => sum + publication.bytes, 0);
          const shift = () => {
            model.shift();
            gone++;
          };
          for (const each of steps) {
            if (each.do === 'push') {
              nowMs += each.laterMs;
              const publications = each.each.map((more) => stored(++newest, more, nowMs));
              ring.push(publications);
              model.push(...publications);
              while (model.length > maxPublications) shift();
              while (bytes() > maxBytes && model.length > 1) shift();
            } else if (each.do === 'age') {
              nowMs += each.laterMs;
              ring.evictAged(nowMs);
              while (model.length > 0 && (model[0]?.publishedAtMs ?? 0) < nowMs - 40) shift();
            } else if (each.do === 'evictAll') {
              ring.evictAll();
              gone += model.length;
              model = [];
            } else {
              ring.reset(each.to, 0);
              newest = each.to;
              model = [];
            }
            expect([ring.count, ring.bytes, ring.newest, ring.reach]).toEqual([
              model.length,
              bytes(),
              newest,
              newest - model.length,
            ]);
          }
          expect(ring.slice(0).map(factsOf)).toEqual(model.map(factsOf));
          expect(ring.slice(from, from + length).map(factsOf)).toEqual(
            model.filter(({ offset }) => offset > from && offset <= from + length).map(factsOf),
          );
          expect([...ring.between(from, from + length)].map(factsOf)).toEqual(
            ring.slice(from, from + length).map(factsOf),
          );
          const found = ring.findLast(({ offset }) => offset <= from);
          const last = model.findLast(({ offset }) => offset <= from);
          expect(found && factsOf(found)).toEqual(last && factsOf(last));
          expect(evicted.reduce((sum, [, count]) => sum + count, 0)).toBe(gone);
        },
      ),
    );
  });
});

describe('the numbers of commits', () => {
  /** Each has the number ten times its offset. */
  const committed = (offset: number, publishedAtMs = 0) =>
    new StoredPublication(fields('t'), offset, 10 * offset, publishedAtMs, 0);

  test.each([
    [0, 2],
    [29, 2],
    [30, 3],
    [31, 3],
    [39, 3],
    [40, 4],
    [50, 5],
    [99, 5],
  ])('the last of up to commit %i is at offset %i', (seq, offset) => {
    const { ring } = makeRing({ maxPublications: 3 });
    ring.push([1, 2, 3, 4, 5].map((each) => committed(each)));
    expect(ring.offsetAtSeq(seq)).toBe(offset);
  });

  test('an empty ring has had all of them evicted', () => {
    expect(makeRing({}, 7).ring.offsetAtSeq(70)).toBe(7);
  });

  test('the highest that was evicted is known, whatever evicted it', () => {
    const { ring } = makeRing({ maxPublications: 3, maxBytes: 3 * committed(1).bytes, maxAgeMs: 100 });
    expect(ring.evictedSeq).toBe(0);
    ring.push([1, 2, 3].map((offset) => committed(offset, offset)));
    expect(ring.evictedSeq).toBe(0);
    ring.push([committed(4, 4)]);
    expect(ring.evictedSeq).toBe(10);
    ring.evictAged(102);
    expect(ring.evictedSeq).toBe(10);
    ring.evictAged(103);
    expect(ring.evictedSeq).toBe(20);
    ring.evictAll();
    expect([ring.evictedSeq, ring.reach]).toEqual([40, 4]);
    ring.evictAll();
    expect(ring.evictedSeq).toBe(40);
    ring.reset(9, 50);
    expect([ring.evictedSeq, ring.newest]).toEqual([50, 9]);
  });
});
