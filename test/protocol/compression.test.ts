import { createHash } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { deflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/protocol/bytes.ts';
import { deflateBody } from '../../src/protocol/compression.ts';
import { crc32 } from '../../src/protocol/crc32.ts';
import type { CompressedBody, Publication } from '../../src/protocol/frames.ts';
import { plainMaxBytes, smallRunBytes } from '../../src/protocol/inflate.ts';
import { utf8 } from '../../src/protocol/utf8.ts';
import { publication } from '../support/arbitraries.ts';
import { protobufCodec } from '../support/codecs.ts';
import { expandBatch } from '../support/expand-batch.ts';
import { publicationOf } from '../support/publication-of.ts';

const header = { view: 1, after: 0, upto: 9 };
const none: ReadonlyMap<number, Uint8Array> = new Map();

function runOf(publications: readonly Publication[]): Uint8Array {
  return concatBytes(publications.map((one) => protobufCodec.encodePublication('t', one)));
}

function received(body: CompressedBody) {
  const decoded = protobufCodec.decodeServerFrame(protobufCodec.frameCompressedBatch(header, body));
  if (!decoded.ok || decoded.frame.kind !== 'batch') throw new Error('no batch');
  return decoded.frame;
}

const stats = (load: number) =>
  publicationOf({
    offset: 1,
    timestampMs: 1,
    type: 'stats_update',
    payload: {
      format: 'json',
      bytes: utf8(`{"load":${load},"host":"web-01","region":"eu-central","cores":8}`),
    },
  });

/** Always the same for a length. */
function noise(length: number): Uint8Array {
  return new Uint8Array(createHash('shake256', { outputLength: length }).update(String(length)).digest());
}

describe('a compressed batch', () => {
  it('expands to the publications, with and without a dictionary', () => {
    const data = utf8('{"load":1}{"a":null}');
    const property = fc.property(
      fc.array(publication, { maxLength: 4 }),
      fc.boolean(),
      (publications, primed) => {
        const batch = received(
          deflateBody(runOf(publications), primed ? { dictionary: 4, data } : undefined),
        );
        expect(batch).toMatchObject({ ...header, publications: [] });
        expect(expandBatch(batch, new Map([[4, data]]))).toEqual({ ok: true, publications });
      },
    );
    fc.assert(property);
    // It has a run that fflate could not get back from what it would make of it with this dictionary.
    fc.assert(property, { seed: 184902174 });
  });

  it('goes without a dictionary where it is so long that fflate might store it, dictionary and all', () => {
    const data = noise(100);
    const longest = noise(800);
    const body = deflateBody(longest, { dictionary: 1, data });
    expect(body.dictionary).toBe(1);
    expect(inflateRawSync(body.deflate, { dictionary: data })).toEqual(Buffer.from(longest));
    expect(deflateBody(noise(801), { dictionary: 1, data }).dictionary).toBe(0);
    // What it is about: these bytes begin with the dictionary.
    const stored = inflateRawSync(deflateSync(noise(2000), { dictionary: noise(10) }));
    expect(stored).toEqual(Buffer.concat([noise(10), noise(2000)]));
  });

  it('leaves a plain batch as it is', () => {
    const batch = { publications: [stats(1)] };
    expect(expandBatch(batch, none)).toEqual({ ok: true, publications: [stats(1)] });
  });

  it('is smaller with a dictionary of what came before', () => {
    const run = runOf([stats(2)]);
    const shared = { dictionary: 1, data: runOf([stats(1)]) };
    expect(deflateBody(run, shared).deflate.length).toBeLessThan(deflateBody(run).deflate.length / 2);
  });

  it('is damaged with another dictionary, and with none', () => {
    const body = deflateBody(runOf([stats(2)]), { dictionary: 1, data: runOf([stats(1)]) });
    expect(expandBatch(received(body), none)).toEqual({ ok: false });
    const other = new Map([[1, new Uint8Array(200).fill(120)]]);
    expect(expandBatch(received(body), other)).toEqual({ ok: false });
  });

  it('is damaged when any byte of it has changed, and never throws', () => {
    const body = deflateBody(runOf([stats(1), stats(2)]));
    for (let i = 0; i < body.deflate.length; i++) {
      const deflate = body.deflate.slice();
      deflate[i] = deflate[i]! ^ 0x55;
      const expanded = expandBatch(received({ ...body, deflate }), none);
      // A bit after the end of the stream may be anything.
      if (i < body.deflate.length - 1) expect(expanded).toEqual({ ok: false });
    }
    expect(expandBatch(received({ ...body, crc32: body.crc32 ^ 1 }), none).ok).toBe(false);
    expect(expandBatch(received({ ...body, deflate: new Uint8Array(0) }), none).ok).toBe(false);
  });

  it('inflates to exactly the length that it says, within the limit', () => {
    const bomb = deflateBody(new Uint8Array(1_000_000));
    expect(bomb.deflate.length).toBeLessThan(2000);
    expect(expandBatch(received({ ...bomb, plainBytes: 10 }), none)).toEqual({ ok: false });
    expect(expandBatch(received({ ...bomb, plainBytes: 1_000_001 }), none)).toEqual({ ok: false });
    const tooLarge = received({ ...bomb, plainBytes: plainMaxBytes + 1 });
    expect(expandBatch(tooLarge, none)).toEqual({ ok: false });
  });

  it.each([
    [smallRunBytes - 1, 0],
    [smallRunBytes, 0],
    [smallRunBytes + 1, smallRunBytes + 1],
  ])('of %d plain bytes says that there are %d', (length, said) => {
    const around =
      runOf([{ ...stats(1), payload: { format: 'binary', bytes: new Uint8Array(200) } }]).length - 200;
    const publication: Publication = {
      ...stats(1),
      payload: { format: 'binary', bytes: new Uint8Array(length - around) },
    };
    const body = deflateBody(runOf([publication]));
    expect(runOf([publication]).length).toBe(length);
    expect(body.plainBytes).toBe(said);
    expect(expandBatch(received(body), none)).toEqual({ ok: true, publications: [publication] });
  });

  it('that does not say how long it is, and is too long, is damaged', () => {
    const bomb = deflateBody(new Uint8Array(smallRunBytes + 1));
    expect(expandBatch(received({ ...bomb, plainBytes: 0 }), none)).toEqual({ ok: false });
  });

  it('is damaged when its plain bytes are no publications', () => {
    expect(expandBatch(received(deflateBody(utf8('not protobuf'))), none)).toEqual({ ok: false });
  });
});

describe('CRC-32', () => {
  it('is that of IEEE 802.3', () => {
    expect(crc32(utf8('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });
});
