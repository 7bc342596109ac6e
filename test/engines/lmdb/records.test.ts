import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeEngine,
  decodeHead,
  decodeMessageId,
  decodePublication,
  publicationFacts,
  RecordWriter,
} from '../../../src/engines/lmdb/records.ts';
import { crc32 } from '../../../src/protocol/crc32.ts';
import { besideRows, publishOf } from '../../../src/protocol/publication.ts';
import { StoredPublication } from '../../../src/topics/publication.ts';
import { factsOf } from '../../topics/fixtures.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const offset = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(Number.MAX_SAFE_INTEGER));
const publication = fc.record({
  offset,
  publishedAtMs: fc.integer({ min: 0, max: 2 ** 43 }),
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

function made({ offset: at, publishedAtMs, format, bytes, ...rest }: ReturnType<typeof sample>) {
  return new StoredPublication(
    publishOf({ topic: 't', ...rest, payload: { format, bytes } }),
    at,
    at,
    publishedAtMs,
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
          publishedAtMs: before.publishedAtMs,
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
    touchedAtMs: 1.5,
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

function sealed(record: Buffer): Buffer {
  record.writeUInt32LE(crc32(record.subarray(5)), 1);
  return record;
}

describe('the bytes on disk, which later versions must read', () => {
  const all = { key: 'k', tags: { a: 'b' }, except: 'sé', ttlMs: 9, timestampMs: 5 };
  const publication = new StoredPublication(
    publishOf({ topic: 't', type: 'u', payload: { format: 'binary', bytes: new Uint8Array([7]) }, ...all }),
    3,
    4,
    2,
    0,
  );
  const cost = Buffer.alloc(8);
  cost.writeDoubleLE(publication.bytes);
  const pinned = [
    '02', // the version of the format
    '00000000', // the checksum
    '03', // the bits of `except` and `ttlMs`
    '0000000000000040', // publishedAtMs
    cost.toString('hex'),
    '0000000000000840', // offset
    '0000000000001040', // seq
    '030073c3a9', // except
    '0000000000002240', // ttlMs
    '3215080310051a01752a010732016b3a060a0161120162', // in protobuf
  ];
  const record = sealed(Buffer.from(pinned.join(''), 'hex'));

  test('of a publication with all members are the pinned ones', () => {
    expect(Buffer.from(new RecordWriter().publication(publication))).toEqual(record);
  });

  test('are read as what was written', () => {
    const { payload, ...facts } = factsOf(decodePublication('t', record));
    const { payload: written, ...expected } = factsOf(publication);
    expect(facts).toEqual(expected);
    expect({ ...payload, bytes: Uint8Array.from(payload.bytes) }).toEqual(written);
  });

  test.each<[string, (writer: RecordWriter) => Buffer, string]>([
    [
      'a topic',
      (writer) =>
        writer.head({
          number: 1,
          epoch: 'é',
          mode: 'state',
          offset: 2,
          seq: 3,
          reach: 4,
          evictedSeq: 5,
          bornAfterSeq: 6,
          isIdle: true,
          bytes: 7,
          touchedAtMs: 8,
        }),
      [
        '020b58801b03',
        '000000000000f03f', // number
        '0000000000000040', // offset
        '0000000000000840', // seq
        '0000000000001040', // reach
        '0000000000001440', // evictedSeq
        '0000000000001840', // bornAfterSeq
        '0000000000001c40', // bytes
        '0000000000002040', // touchedAtMs
        '0200c3a9',
      ].join(''),
    ],
    [
      'the engine',
      (writer) => writer.engine({ epoch: 'é', forgottenSeq: 1 }),
      '026ba7e2a8000000000000f03f0200c3a9',
    ],
    [
      'a message id',
      (writer) =>
        writer.messageId({
          messageId: 'm',
          digest: 'd',
          atMs: 1,
          payer: { account: 'u', isVerified: true },
        }),
      '023fa84dd301000000000000f03f01006401006d010075',
    ],
  ])('of %s are the pinned ones', (_, write, hex) => {
    expect(write(new RecordWriter()).toString('hex')).toBe(hex);
  });
});

test('a member of a newer version is refused rather than read as something else', () => {
  const record = Buffer.from(new RecordWriter().publication(made(sample())));
  for (const bit of [2, 3, 4, 5, 6, 7]) {
    const newer = Buffer.from(record);
    newer[5] = (newer[5] as number) | (1 << bit);
    expect(() => decodePublication('t', sealed(newer))).toThrow(
      expect.objectContaining({ code: 'ERR_DATA_DIR_FORMAT' }),
    );
  }
});

test('each member that is kept beside has its own bit, and they are in the order of their bits', () => {
  expect(besideRows.map(({ name, storedBit }) => [storedBit, name])).toEqual([
    [0, 'except'],
    [1, 'ttlMs'],
  ]);
});

test('a record of a newer format is refused by name', () => {
  const record = Buffer.from(new RecordWriter().engine({ epoch: 'e', forgottenSeq: 1 }));
  record[0] = 3;
  expect(() => decodeEngine(record)).toThrow(
    expect.objectContaining({ code: 'ERR_DATA_DIR_FORMAT', message: expect.stringContaining('version 3') }),
  );
});
