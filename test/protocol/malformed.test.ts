import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandKinds } from '../../src/protocol/client-frames.ts';
import { serverKinds } from '../../src/protocol/server-frames.ts';
import { clientFrame, damage, damaged, serverFrame } from '../support/arbitraries.ts';
import { codecs } from '../support/codecs.ts';

const anyClientFrame = fc.oneof(...commandKinds.map(clientFrame));
const anyServerFrame = fc.oneof(...serverKinds.map(serverFrame));

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
