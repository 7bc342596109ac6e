import fc from 'fast-check';
import { Reader } from 'protobufjs/minimal.js';
import { describe, expect, it } from 'vitest';
import { decodeRun, protobufCodec as small } from '../../../src/client/wire/protobuf.ts';
import { commandKinds } from '../../../src/protocol/client-frames.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { serverKinds } from '../../../src/protocol/server-frames.ts';
import { clientFrame, damage, damaged, publication, serverFrame } from '../../support/arbitraries.ts';
import { protobufCodec, decodeRun as referenceRun } from '../../support/codecs.ts';
import { expectSame } from '../../support/expect-same.ts';

type Result = ServerFrame | 'refused';

function bySmall(message: Uint8Array): Result {
  try {
    return small.decode(message);
  } catch {
    return 'refused';
  }
}

/** protobufjs has skipped a group. Proto3 has none, so the client refuses them. */
let hasGroup = false;
const { skipType } = Reader.prototype;
Reader.prototype.skipType = function (...args) {
  hasGroup ||= args[0] === 3;
  return skipType.apply(this, args);
};

function byReference(message: Uint8Array): Result {
  hasGroup = false;
  const decoded = protobufCodec.decodeServerFrame(message);
  return decoded.ok && !hasGroup ? decoded.frame : 'refused';
}

function expectAlike(message: Uint8Array): void {
  expectSame(bySmall(message), byReference(message));
}

const anyServerFrame = fc.oneof(...serverKinds.map(serverFrame)).map(protobufCodec.encodeServerFrame);

const varint = (value: bigint): number[] => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
};

const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 300n }));
/** Numbers of fields that the messages have, and one that none has. */
const fieldNumber = fc.oneof(fc.nat(14), fc.nat(30), fc.constant(536_870_911));

/** Any field of protobuf: of any number, wire type and content, also wrong ones; messages within messages. */
const anyField: fc.Arbitrary<number[]> = fc.letrec<{ field: number[] }>((tie) => ({
  field: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.tuple(fieldNumber, uint64).map(([n, value]) => [...varint(BigInt(n * 8)), ...varint(value)]),
    fc
      .tuple(fieldNumber, fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }))
      .map(([n, bytes]) => [...varint(BigInt(n) * 8n + 5n), ...bytes]),
    fc
      .tuple(fieldNumber, fc.array(fc.nat(255), { minLength: 8, maxLength: 8 }))
      .map(([n, bytes]) => [...varint(BigInt(n) * 8n + 1n), ...bytes]),
    fc
      .tuple(fieldNumber, fc.array(fc.nat(255), { maxLength: 6 }))
      .map(([n, bytes]) => [...varint(BigInt(n) * 8n + 2n), bytes.length, ...bytes]),
    fc
      .tuple(fieldNumber, fc.array(tie('field'), { maxLength: 4 }))
      .map(([n, inner]) => [
        ...varint(BigInt(n) * 8n + 2n),
        ...varint(BigInt(inner.flat().length)),
        ...inner.flat(),
      ]),
    fc
      .tuple(fieldNumber, fc.nat(14), fc.array(tie('field'), { maxLength: 2 }))
      .map(([n, end, inner]) => [
        ...varint(BigInt(n) * 8n + 3n),
        ...inner.flat(),
        ...varint(BigInt(end < 12 ? n : end) * 8n + 4n),
      ]),
  ),
})).field;

describe("the client's protobuf, beside protobufjs", () => {
  it.each(serverKinds)('reads the frame %s as it was written', (kind) => {
    fc.assert(
      fc.property(serverFrame(kind), (frame) => {
        expectSame(bySmall(protobufCodec.encodeServerFrame(frame)), frame);
      }),
      { numRuns: 300 },
    );
  });

  it.each(commandKinds)('writes the command %s so that the gateway reads it', (kind) => {
    fc.assert(
      fc.property(clientFrame(kind), (frame) => {
        expectSame(protobufCodec.decodeClientFrame(small.encode(frame)), { ok: true, frame });
      }),
      { numRuns: 300 },
    );
  });

  it('writes a command in as many bytes', () => {
    fc.assert(
      fc.property(fc.oneof(...commandKinds.map(clientFrame)), (frame) => {
        expect(small.encode(frame).length).toBeLessThanOrEqual(protobufCodec.encodeClientFrame(frame).length);
      }),
      { numRuns: 2000 },
    );
  });

  it('writes half a character as U+FFFD', () => {
    const frame = { kind: 'presence', id: 2, topic: 'a\ud800b' } as const;
    const read = protobufCodec.decodeClientFrame(small.encode(frame));
    expect(read).toEqual({ ok: true, frame: { ...frame, topic: 'a\ufffdb' } });
  });

  it('reads or refuses random bytes alike', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), expectAlike), { numRuns: 5000 });
  });

  it('reads or refuses damaged frames alike', () => {
    fc.assert(
      fc.property(anyServerFrame, damage, (message, changes) => expectAlike(damaged(message, changes))),
      { numRuns: 3000 },
    );
  });

  it('reads or refuses every beginning of a frame alike', () => {
    fc.assert(
      fc.property(anyServerFrame, (message) => {
        for (let length = 0; length < message.length; length++) expectAlike(message.subarray(0, length));
      }),
      { numRuns: 200 },
    );
  });

  it('reads or refuses unknown, repeated and wrongly typed fields alike', () => {
    fc.assert(
      fc.property(fc.array(anyField, { maxLength: 4 }), (fields) =>
        expectAlike(Uint8Array.from(fields.flat())),
      ),
      { numRuns: 10_000 },
    );
  });

  it('merges frames that were written one after the other alike', () => {
    const several = fc.array(anyServerFrame, { minLength: 2, maxLength: 3 });
    const again = fc.tuple(several, several).map(([a, b]) => [...a, ...b, ...a]);
    fc.assert(
      fc.property(fc.oneof(several, again), fc.array(anyField, { maxLength: 2 }), (messages, fields) =>
        expectAlike(Uint8Array.from([...messages.flatMap((one) => [...one]), ...fields.flat()])),
      ),
      { numRuns: 1500 },
    );
  });

  it('reads or refuses fields within a frame of each kind alike', () => {
    const kind = fc.integer({ min: 2, max: 22 });
    fc.assert(
      fc.property(kind, fc.array(anyField, { maxLength: 5 }), (number, fields) => {
        const inner = fields.flat();
        expectAlike(
          Uint8Array.from([...varint(BigInt(number) * 8n + 2n), ...varint(BigInt(inner.length)), ...inner]),
        );
      }),
      { numRuns: 10_000 },
    );
  });

  it('refuses groups, which proto3 has not', () => {
    const group = [0x3b, 0x3c];
    expect(bySmall(Uint8Array.from([...group, 0x52, 0]))).toBe('refused');
    expect(bySmall(Uint8Array.from([0x52, 2, ...group]))).toBe('refused');
  });

  it('reads the publications of a compressed batch alike', () => {
    fc.assert(
      fc.property(fc.array(publication, { maxLength: 4 }), fc.option(damage), (publications, changes) => {
        const encoded = publications.flatMap((one) => [...protobufCodec.encodePublication('t', one)]);
        const run = changes ? damaged(Uint8Array.from(encoded), changes) : Uint8Array.from(encoded);
        hasGroup = false;
        const reference = referenceRun(run);
        const isRead = reference.ok && 'publications' in reference.frame && !hasGroup;
        const expected = isRead ? reference.frame.publications : undefined;
        let read: unknown;
        try {
          read = decodeRun(run);
        } catch {
          read = undefined;
        }
        expectSame(read, expected);
      }),
      { numRuns: 1500 },
    );
  });
});
