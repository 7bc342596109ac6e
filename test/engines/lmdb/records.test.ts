import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeEngine,
  decodeHead,
  decodeMessageId,
  decodePublication,
  publicationFacts,
  RecordWriter,
} from '../../../src/engines/lmdb/records.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import { StoredPublication } from '../../../src/topics/publication.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const offset = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(Number.MAX_SAFE_INTEGER));
const publication = fc.record({
  offset,
  publishedMs: fc.integer({ min: 0, max: 2 ** 43 }),
  timestampMs: fc.option(fc.integer({ min: 0, max: 2 ** 43 }), { nil: undefined }),
  type: text,
  key: fc.option(text, { nil: undefined }),
  except: fc.option(text, { nil: undefined }),
  removed: fc.option(fc.constant(true), { nil: undefined }),
  tags: fc.option(fc.dictionary(fc.oneof(text, fc.constant('__proto__')), text, { maxKeys: 32 }), {
    nil: undefined,
  }),
  ttlMs: fc.option(fc.integer({ min: 1, max: 2 ** 40 }), { nil: undefined }),
  format: fc.constantFrom('json' as const, 'binary' as const),
  bytes: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(200_000).fill(7))),
});

function made({ offset: at, publishedMs, format, bytes, ...rest }: ReturnType<typeof sample>) {
  return new StoredPublication(
    publishOf({ topic: 't', ...rest, payload: { format, bytes } }),
    at,
    at,
    publishedMs,
    5,
  );
}

function sample() {
  return fc.sample(publication, 1)[0] as typeof publication extends fc.Arbitrary<infer T> ? T : never;
}

test('a publication comes back as it was written, also when records follow each other', () => {
  const writer = new RecordWriter();
  fc.assert(
    fc.property(fc.array(publication, { minLength: 1, maxLength: 5 }), (all) => {
      for (const each of all) {
        const before = made(each);
        const record = Buffer.from(writer.publication(before));
        const after = decodePublication('t', record);
        const { payload, acceptedAtMs, ...rest } = before;
        expect(after).toMatchObject(rest);
        expect(after.timestampMs).toBe(before.timestampMs);
        expect(Object.keys(after.tags ?? {})).toEqual(Object.keys(before.tags ?? {}));
        expect(after.payload.format).toBe(payload.format);
        expect(Buffer.compare(after.payload.bytes, payload.bytes)).toBe(0);
        expect([acceptedAtMs, after.acceptedAtMs]).toEqual([5, 0]);
        expect(publicationFacts(record)).toEqual({
          publishedMs: before.publishedMs,
          bytes: before.bytes,
          offset: before.offset,
          seq: before.seq,
        });
      }
    }),
  );
});

test('heads and message ids come back as they were written', () => {
  const writer = new RecordWriter();
  const head = {
    number: 2 ** 40,
    epoch: 'e',
    mode: 'state',
    offset: Number.MAX_SAFE_INTEGER,
    seq: 2 ** 52,
    reach: 3,
    evictedSeq: 2,
    bornAfterSeq: 1,
    isIdle: true,
    bytes: 4,
    touchedMs: 1.5,
  } as const;
  expect(decodeHead(Buffer.from(writer.head(head)))).toEqual(head);
  const engine = { epoch: 'e', forgottenSeq: 2 ** 52 };
  expect(decodeEngine(Buffer.from(writer.engine(engine)))).toEqual(engine);
  for (const isVerified of [true, false]) {
    const payer = { account: 'user ü', isVerified };
    const messageId = { messageId: 'né\u{1F600}', digest: 'd', atMs: 7, payer };
    expect(decodeMessageId(Buffer.from(writer.messageId(messageId)))).toEqual(messageId);
  }
});

test('a record of a newer format is refused by name', () => {
  const record = Buffer.from(new RecordWriter().engine({ epoch: 'e', forgottenSeq: 1 }));
  record[0] = 3;
  expect(() => decodeEngine(record)).toThrow(
    expect.objectContaining({ code: 'ERR_DATA_DIR_FORMAT', message: expect.stringContaining('version 3') }),
  );
});
