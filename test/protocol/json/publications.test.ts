import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { Payload, Publication } from '../../../src/protocol/frames.ts';
import { lastInstantMs } from '../../../src/protocol/integers.ts';
import {
  readPayload,
  readPublicationBytes,
  writePublication,
} from '../../../src/protocol/protobuf/publication-bytes.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import { StoredPublication } from '../../../src/topics/publication.ts';
import { jsonCodec } from '../../support/codecs.ts';
import { publicationOf } from '../../support/publication-of.ts';

/** JSON is written straight into bytes: here it is made of strings, by `JSON.stringify`. */
function reference(topic: string, publication: Publication): string {
  const { type, key, tags, timestampMs, offset, removed, payload } = publication;
  const members = [
    `"type":${JSON.stringify(type)}`,
    topic === '' ? '' : `"topic":${JSON.stringify(topic)}`,
    key === undefined ? '' : `"key":${JSON.stringify(key)}`,
    tags === undefined ? '' : `"tags":${JSON.stringify(tags)}`,
    data(payload),
    `"timestamp":"${new Date(timestampMs).toISOString()}"`,
    `"offset":${offset}`,
    removed ? '"removed":true' : '',
  ];
  return `{${members.filter((member) => member !== '').join(',')}}`;
}

function data({ format, bytes }: Payload): string {
  if (format === 'binary') return `"dataBase64":"${Buffer.from(bytes).toString('base64')}"`;
  return `"data":${bytes.length === 0 ? 'null' : Buffer.from(bytes).toString('utf8')}`;
}

/** Also what must be escaped, controls, halves of characters, and what UTF-8 writes in one to four bytes. */
const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc
    .array(fc.constantFrom('"', '\\', '\u0000', '\u001f', '\u007f', '\u0080', 'ü', '€', '\ud800', '😀', 'a'))
    .map((parts) => parts.join('')),
);
const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.jsonValue().map((value) => ({ format: 'json' as const, bytes: utf8(JSON.stringify(value)) })),
  fc.constantFrom(0, 1, 5000, 100_000).map((length) => ({
    format: 'json' as const,
    bytes: utf8(length === 0 ? '' : '7'.repeat(length)),
  })),
  fc
    .uint8Array({ maxLength: 400 })
    .map((bytes) => ({ format: 'binary' as const, bytes: Uint8Array.from(bytes) })),
);
const tagName = fc.oneof(text, fc.constantFrom('7', '__proto__', 'toJSON'));
const publication: fc.Arbitrary<Publication> = fc.record({
  offset: fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 9, 10, 99, 100, Number.MAX_SAFE_INTEGER)),
  timestampMs: fc.oneof(
    fc.integer({ min: 0, max: lastInstantMs }),
    fc.constantFrom(0, 999, 1000, 1001, lastInstantMs, lastInstantMs + 1, 8.64e15),
  ),
  type: text,
  payload,
  key: fc.option(text, { nil: undefined }),
  tags: fc.option(fc.dictionary(tagName, text, { noNullPrototype: true }), { nil: undefined }),
  removed: fc.option(fc.boolean(), { nil: undefined }),
});

function utf8(written: string): Uint8Array {
  return new TextEncoder().encode(written);
}

const decoded = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
/** As a text: arrays are compared byte by byte, which takes a hundred times as long. */
const plain = ({ format, bytes }: Payload) => [format, Buffer.from(bytes).toString('latin1')];

describe('publications in JSON', () => {
  test('are what JSON.stringify writes', () => {
    fc.assert(
      fc.property(text, fc.array(publication, { minLength: 1, maxLength: 4 }), (topic, publications) => {
        // All before any is looked at: they are in the same slabs.
        const encoded = publications.map((each) => jsonCodec.encodePublication(topic, each));
        expect(encoded.map(decoded)).toEqual(publications.map((each) => reference(topic, each)));
      }),
    );
  });

  test('are the same from their encoded bytes, of which only the payload is read', () => {
    fc.assert(
      fc.property(text, publication, (topic, each) => {
        const bytes = writePublication(each, (length) => new Uint8Array(length));
        expect(plain(readPayload(bytes))).toEqual(plain(readPublicationBytes(bytes).payload));
        const fresh = new StoredPublication(publishOf({ topic, ...each }), each.offset, 1, 5, 5);
        const fromRing = StoredPublication.decoded(topic, bytes, 1, 5, undefined);
        expect(decoded(fresh.encoded(jsonCodec))).toBe(reference(topic, { ...each, ...asStored(fresh) }));
        expect(plain(readPayload(bytes))).toEqual(plain(fromRing.payload));
      }),
    );
  });
});

/** What a stored publication leaves out. */
function asStored({ key, tags, removed }: StoredPublication): Partial<Publication> {
  return { key, tags, removed };
}

describe('frames of publications in JSON', () => {
  const small = fc.record({ view: fc.nat(0xffff_ffff), epoch: text, offset: fc.maxSafeNat() });

  test('are their members and their publications', () => {
    fc.assert(
      fc.property(text, small, fc.array(publication, { maxLength: 3 }), (topic, header, publications) => {
        const pieces = publications.map((each) => jsonCodec.encodePublication(topic, each));
        const { view, epoch, offset } = header;
        const messages = publications.map((each) => reference(topic, each)).join(',');
        const named = topic === '' ? '' : `"topic":${JSON.stringify(topic)},`;
        const epochMember = `"epoch":${JSON.stringify(epoch)}`;
        const batch = jsonCodec.frameBatch(
          topic,
          { view, topic, epoch, after: offset, upto: offset },
          pieces,
        );
        expect(decoded(batch)).toBe(
          `{"type":"batch",${named}${epochMember},"view":${view},"after":${offset},"upto":${offset},"messages":[${messages}]}`,
        );
        const snapshot = { view, topic, epoch, offset, first: true, last: false };
        expect(decoded(jsonCodec.frameSnapshot(snapshot, pieces))).toBe(
          `{"type":"snapshot","view":${view},"topic":${JSON.stringify(topic)},${epochMember},"offset":${offset},"first":true,"last":false,"messages":[${messages}]}`,
        );
        const history = { topic, epoch, after: 1, upto: offset, more: true, missing: { after: 0, upto: 1 } };
        expect(decoded(jsonCodec.frameHistory(7, history, pieces))).toBe(
          `{"type":"history","id":7,"topic":${JSON.stringify(topic)},${epochMember},"after":1,"upto":${offset},"more":true,"missing":{"after":0,"upto":1},"messages":[${messages}]}`,
        );
      }),
    );
  });

  it('of one publication are the publication with the view in it, many of them in one slab', () => {
    const one = publicationOf({
      offset: 9,
      timestampMs: 5,
      type: 'x',
      payload: { format: 'json', bytes: utf8('1') },
    });
    const pieces = [jsonCodec.encodePublication('t', one)];
    const framed = Array.from({ length: 300 }, (_, view) =>
      jsonCodec.frameBatch('t', { view, after: 8, upto: 9 }, pieces),
    );
    expect(framed.map(decoded)).toEqual(
      framed.map((_, view) => `${reference('t', one).slice(0, -1)},"view":${view}}`),
    );
  });
});
