import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandKinds } from '../../src/protocol/client-frames.ts';
import { codecs, negotiate } from '../../src/protocol/codecs.ts';
import { publicationTypeProblem } from '../../src/protocol/frame-kinds.ts';
import { fromInstant, toInstant } from '../../src/protocol/instant.ts';
import { fromBase64, toBase64 } from '../../src/protocol/json/base64.ts';
import { jsonPayloadProblem } from '../../src/protocol/payload.ts';
import { serverKinds } from '../../src/protocol/server-frames.ts';
import { utf8 } from '../../src/protocol/utf8.ts';

describe('the type of a publication', () => {
  it.each(['stats_update', 'a', 'A-1.b:c', 'x'.repeat(64), 'constructor'])('may be %s', (type) => {
    expect(publicationTypeProblem(type)).toBeUndefined();
  });

  it.each(['', 'x'.repeat(65), 'a b', 'ü', 'a\n', 'a/b', 'a"'])('may not be %j', (type) => {
    expect(publicationTypeProblem(type)).toBeDefined();
  });

  it('may not be the name of a control frame', () => {
    for (const name of [...commandKinds, ...serverKinds, 'caught_up', 'going_away'])
      expect(publicationTypeProblem(name)).toContain('control frame');
  });
});

describe('the negotiation of the codec', () => {
  it.each([
    [undefined, codecs.json],
    ['', codecs.json],
    ['sluice.v1.json', codecs.json],
    ['sluice.v1.protobuf, sluice.v1.json', codecs.protobuf],
    ['mqtt ,sluice.v1.json', codecs.json],
    ['mqtt', undefined],
    ['sluice.v2.protobuf', undefined],
  ])('of %j', (offered, codec) => {
    expect(negotiate(offered)).toBe(codec);
  });
});

describe('a JSON payload', () => {
  it.each(['1', ' {"a":[1.0]}\n', 'null'])('may be %j', (json) => {
    expect(jsonPayloadProblem(utf8(json))).toBeUndefined();
  });

  it.each([utf8(''), utf8('{"a":1,"a":1}'), utf8('{'), Uint8Array.from([0x22, 0xff, 0x22]), utf8('\uFEFF1')])(
    'may not be %j',
    (bytes) => {
      expect(jsonPayloadProblem(bytes)).toBeDefined();
    },
  );
});

describe('base64', () => {
  it('is that of Node, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const text = toBase64(bytes);
        expect(text).toBe(Buffer.from(bytes).toString('base64'));
        expect(fromBase64(text)).toEqual(Uint8Array.from(bytes));
      }),
    );
  });

  it.each(['A', 'AA', 'AAA', 'AA=', 'A===', '====', 'AB==', 'AAB=', 'AA A', 'AAA-', 'AA==AAAA', '=AAA'])(
    'does not take %j',
    (text) => {
      expect(fromBase64(text)).toBeUndefined();
    },
  );
});

describe('a point in time', () => {
  it('is RFC 3339', () => {
    expect(toInstant(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(fromInstant('1970-01-01T01:00:00+01:00')).toBe(0);
    expect(fromInstant('2024-02-29T12:00:00.123456Z')).toBe(Date.UTC(2024, 1, 29, 12, 0, 0, 123));
  });

  it.each([
    '2023-02-29T00:00:00Z',
    '2023-04-31T00:00:00Z',
    '2023-13-01T00:00:00Z',
    '2023-01-01',
    'now',
    '2023-01-01T00:00:00',
    '2023-00-10T00:00:00Z',
    '2023-01-00T00:00:00Z',
  ])('is not %s', (text) => {
    expect(fromInstant(text)).toBeUndefined();
  });
});
