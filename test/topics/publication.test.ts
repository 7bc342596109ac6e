import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lastInstantMs } from '../../src/protocol/integers.ts';
import {
  besideRows,
  draftBeside,
  type KeptFields,
  type PublishFields,
} from '../../src/protocol/publication.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import { codecs } from '../support/codecs.ts';
import { factsOf, fields } from './fixtures.ts';

type KeptMember = Exclude<keyof KeptFields, 'topic' | 'type' | 'payload'>;

/** A value of each member that engines keep. */
const keptSamples: { readonly [N in KeptMember]: NonNullable<KeptFields[N]> } = {
  key: 'k',
  tags: { a: 'b' },
  removed: true,
  except: 's',
  ttlMs: 9,
  timestampMs: 5,
};

describe('a stored publication', () => {
  test('keeps its payload once: where it was until it is encoded, then in its encoded bytes', () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const publication = new StoredPublication(
      fields('t', { payload: { format: 'binary', bytes } }),
      1,
      9,
      2,
      3,
    );
    expect(publication.payload.bytes).toBe(bytes);
    publication.encoded(codecs.json);
    expect(publication.payload.bytes).toBe(bytes);
    const encoded = publication.encoded(codecs.protobuf);
    expect(publication.payload).toEqual({ format: 'binary', bytes });
    expect(publication.payload.bytes.buffer).toBe(encoded.buffer);
  });

  test('kept for long, it has bytes of its own, and is the same', () => {
    const more = { key: 'k', tags: { a: 'b' }, except: 's', ttlMs: 9, timestampMs: 5 };
    const publication = new StoredPublication(fields('t', more), 1, 9, 2, 3);
    const own = publication.own();
    const encoded = own.encoded(codecs.protobuf);
    expect(encoded.buffer.byteLength).toBe(encoded.length);
    expect(own.payload.bytes.buffer).toBe(encoded.buffer);
    expect(factsOf(own)).toEqual(factsOf(publication));
    expect([publication.acceptedAtMs, own.acceptedAtMs]).toEqual([3, 0]);
  });

  test.each(['own', 'detached'] as const)('%s, its JSON has bytes of its own too', (kind) => {
    const publication = new StoredPublication(fields('t', { key: 'k' }), 1, 9, 2, 3);
    const before = Uint8Array.from(publication.encoded(codecs.json));
    if (kind === 'detached') publication.detach();
    const kept = kind === 'own' ? publication.own() : publication;
    const encoded = kept.encoded(codecs.json);
    expect(encoded.buffer.byteLength).toBe(encoded.length);
    expect(encoded).toEqual(before);
  });

  test('detached before, its JSON has bytes of its own', () => {
    const publication = new StoredPublication(fields('t', { key: 'k' }), 1, 9, 2, 3);
    publication.detach();
    const encoded = publication.encoded(codecs.json);
    expect(encoded.buffer.byteLength).toBe(encoded.length);
  });

  test.each(Object.entries(keptSamples))('keeps %s where it is the only one', (name, sample) => {
    const publication = new StoredPublication(fields('t', { [name]: sample }), 1, 9, 2, 3);
    expect(publication[name as keyof typeof keptSamples]).toEqual(sample);
    expect(publication.own()[name as keyof typeof keptSamples]).toEqual(sample);
  });

  test.each(besideRows.map(({ name }) => name))('has %s apart where it is the only one', (name) => {
    const sample = keptSamples[name];
    const publication = new StoredPublication(fields('t', { [name]: sample }), 1, 9, 2, 3);
    expect(publication.apart).toEqual({ ...draftBeside(), [name]: sample });
    expect(publication.own().apart).toEqual(publication.apart);
  });

  test.each<[string, Partial<PublishFields>]>([
    ['it was given nothing', {}],
    ['all that it was given is encoded', { key: 'k', tags: { a: 'b' }, timestampMs: 5 }],
    ['it is a removal, which has no TTL', { removed: true, ttlMs: 9 }],
  ])('has nothing apart where %s', (_, more) => {
    expect(new StoredPublication(fields('t', more), 1, 9, 2, 3).apart).toBeUndefined();
  });

  test('an empty key is none, and so are empty tags, in every codec', () => {
    const { key, tags } = new StoredPublication(fields('t', { key: '', tags: {} }), 1, 9, 2, 3);
    expect([key, tags]).toEqual([undefined, undefined]);
  });

  test('detached, it has bytes of its own', () => {
    const body = new Uint8Array(1000);
    const payload = { format: 'binary', bytes: body.subarray(1, 4) } as const;
    const publication = new StoredPublication(fields('t', { payload }), 1, 9, 2, 3);
    publication.detach();
    const encoded = publication.encoded(codecs.protobuf);
    expect(encoded.buffer.byteLength).toBe(encoded.length);
    expect(publication.payload.bytes.buffer).toBe(encoded.buffer);
  });

  test('has the same payload and the same bytes in whatever order it is encoded', () => {
    const parts = fc.record({
      format: fc.constantFrom('json', 'binary'),
      bytes: fc.oneof(fc.uint8Array(), fc.uint8Array({ minLength: 120, maxLength: 300 })),
      type: fc.string({ minLength: 1, unit: 'grapheme' }),
      key: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
      tags: fc.option(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), { nil: undefined }),
      removed: fc.boolean(),
      offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      publishedAtMs: fc.integer({ min: 0, max: lastInstantMs }),
    } as const);
    fc.assert(
      fc.property(parts, ({ format, bytes, offset, publishedAtMs, ...more }) => {
        const make = () =>
          new StoredPublication(
            fields('t', { payload: { format, bytes }, ...more }),
            offset,
            9,
            publishedAtMs,
            0,
          );
        const [first, second] = [make(), make()];
        const json = first.encoded(codecs.json);
        const protobuf = second.encoded(codecs.protobuf);
        expect(first.encoded(codecs.protobuf)).toEqual(protobuf);
        expect(second.encoded(codecs.json)).toEqual(json);
        expect(first.payload).toEqual({ format, bytes });
        expect(second.payload).toEqual({ format, bytes });
        const frame = codecs.protobuf.frameBatch('t', { view: 1, after: offset - 1, upto: offset }, [
          protobuf,
        ]);
        const decoded = codecs.protobuf.decodeServerFrame(frame);
        expect(decoded).toMatchObject({
          ok: true,
          frame: { publications: [{ offset, timestampMs: publishedAtMs, payload: { format, bytes } }] },
        });
      }),
    );
  });
});
