import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandKinds } from '../../src/protocol/client-frames.ts';
import { serverKinds } from '../../src/protocol/server-frames.ts';
import { clientFrame, serverFrame } from '../support/arbitraries.ts';
import { codecs } from '../support/codecs.ts';

const anyClientFrame = fc.oneof(...commandKinds.map(clientFrame));
const anyServerFrame = fc.oneof(...serverKinds.map(serverFrame));

/** Some bytes replaced, some taken out, perhaps the rest cut off. */
const damage = fc.array(
  fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('replace', 'insert', 'remove', 'cut')),
  {
    minLength: 1,
    maxLength: 3,
  },
);

function damaged(bytes: Uint8Array, changes: readonly (readonly [number, number, string])[]): Uint8Array {
  const list = [...bytes];
  for (const [where, byte, how] of changes) {
    const at = list.length === 0 ? 0 : where % list.length;
    if (how === 'cut') list.length = at;
    else list.splice(at, how === 'insert' ? 0 : 1, ...(how === 'remove' ? [] : [byte]));
  }
  return Uint8Array.from(list);
}

describe.each(Object.values(codecs))('the $name codec', (codec) => {
  it('never throws on random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const decoded of [codec.decodeClientFrame(bytes), codec.decodeServerFrame(bytes)]) {
          expect(typeof decoded.ok).toBe('boolean');
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('never throws on damaged commands, and what it accepts it can encode', () => {
    fc.assert(
      fc.property(anyClientFrame, damage, (frame, changes) => {
        const decoded = codec.decodeClientFrame(damaged(codec.encodeClientFrame(frame), changes));
        if (decoded.ok) codec.encodeClientFrame(decoded.frame);
        else expect(decoded.message).not.toBe('');
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws on damaged frames of the gateway', () => {
    fc.assert(
      fc.property(anyServerFrame, damage, (frame, changes) => {
        const decoded = codec.decodeServerFrame(damaged(codec.encodeServerFrame(frame), changes));
        expect(typeof decoded.ok).toBe('boolean');
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses every truncation of a command, or reads a smaller one', () => {
    const whole = codec.encodeClientFrame({ kind: 'history', id: 300, topic: 'topic', after: 77, limit: 5 });
    for (let length = 0; length < whole.length; length++) {
      const decoded = codec.decodeClientFrame(whole.subarray(0, length));
      if (codec.name === 'json') expect(decoded).toMatchObject({ ok: false, code: 'invalid_json' });
      else expect(decoded).toMatchObject({ ok: false, id: length < 3 ? 0 : 300 });
    }
  });
});
