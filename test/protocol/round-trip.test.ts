import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandKinds } from '../../src/protocol/client-frames.ts';
import { readPublicationBytes } from '../../src/protocol/protobuf/publication-bytes.ts';
import { serverKinds } from '../../src/protocol/server-frames.ts';
import { clientFrame, publication, serverFrame } from '../support/arbitraries.ts';
import { codecs } from '../support/codecs.ts';

describe.each(Object.values(codecs))('the $name codec', (codec) => {
  it.each(commandKinds)('carries the command %s to the gateway', (kind) => {
    fc.assert(
      fc.property(clientFrame(kind), (frame) => {
        expect(codec.decodeClientFrame(codec.encodeClientFrame(frame))).toEqual({ ok: true, frame });
      }),
    );
  });

  it.each(serverKinds)('carries the frame %s to the client', (kind) => {
    fc.assert(
      fc.property(serverFrame(kind), (frame) => {
        expect(codec.decodeServerFrame(codec.encodeServerFrame(frame))).toEqual({ ok: true, frame });
      }),
    );
  });

  it('frames encoded publications as if it had encoded the whole', () => {
    fc.assert(
      fc.property(fc.array(publication, { maxLength: 4 }), (publications) => {
        const encoded = publications.map((one) => codec.encodePublication('t', one));
        const place = { topic: 't', epoch: 'e' };
        const header = { view: 3, ...place, after: 0, upto: Number.MAX_SAFE_INTEGER };
        const batch = codec.decodeServerFrame(codec.frameBatch('t', header, encoded));
        expect(batch).toEqual({ ok: true, frame: { kind: 'batch', id: 0, ...header, publications } });
        const page = { ...place, after: 1, upto: 9, more: true, missing: { after: 0, upto: 1 } };
        const history = codec.decodeServerFrame(codec.frameHistory(7, page, encoded));
        expect(history).toEqual({ ok: true, frame: { kind: 'history', id: 7, ...page, publications } });
        const state = { view: 3, ...place, offset: 9, first: true, last: false };
        const snapshot = codec.decodeServerFrame(codec.frameSnapshot(state, encoded));
        expect(snapshot).toEqual({ ok: true, frame: { kind: 'snapshot', id: 0, ...state, publications } });
      }),
    );
  });
});

it('an encoded publication can be read again', () => {
  fc.assert(
    fc.property(publication, (one) => {
      expect(readPublicationBytes(codecs.protobuf.encodePublication('t', one))).toEqual(one);
    }),
  );
});
