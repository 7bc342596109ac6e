import { describe, expect, it } from 'vitest';
import type { Publication, SubscribeResult } from '../../../src/protocol/frames.ts';
import { toClient } from '../../../src/protocol/protobuf/schema.ts';
import { utf8 } from '../../../src/protocol/utf8.ts';
import { decodeServerMessage, encodeClientMessage, protobufCodec } from '../../support/codecs.ts';
import { publicationOf } from '../../support/publication-of.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
const one = publicationOf({
  offset: 7,
  timestampMs: 1,
  type: 'x',
  payload: { format: 'json', bytes: utf8('1.0') },
});

describe('the protobuf codec', () => {
  it.each([
    [{ view: 1, after: 6, upto: 7 }, 9],
    [{ view: 100, after: 16_000, upto: 16_001 }, 11],
  ])('adds few bytes to the publication of a batch %j: %d at most', (header, most) => {
    const encoded = protobufCodec.encodePublication('x', one);
    const frame = protobufCodec.frameBatch('x', header, [encoded]);
    expect(frame.length - encoded.length).toBeLessThanOrEqual(most);
    expect(frame.slice(frame.length - encoded.length)).toEqual(encoded);
  });

  it('speaks the protobuf of the generated code', () => {
    const header = { view: 3, topic: 't', epoch: 'e', after: 0, upto: 2 ** 53 - 1 };
    const encoded = protobufCodec.encodePublication('t', one);
    const frame = protobufCodec.frameBatch('t', header, [encoded, encoded]);
    const publication = { offset: 7, timestampMs: 1, type: 'x', json: one.payload.bytes };
    const whole = toClient.ServerFrame.encode({
      batch: { ...header, publications: [publication, publication] },
    }).finish();
    expect(frame).toEqual(new Uint8Array(whole));
  });

  it('writes results and the topics that they list as the generated code does', () => {
    const granted = { topic: 'a*', view: 300, epoch: 'e', offset: 2 ** 40, recovered: false };
    const more = { missing: { after: 1, upto: 2 }, intervalMs: 50, inbox: true, cursor: 'c' };
    const topics = [
      { topic: 'a1', epoch: 'e', offset: 7, mode: 'state', recovered: true },
      { topic: 'a2', epoch: 'f', offset: 2 ** 53 - 1, mode: 'stream' },
      { topic: 'aé', epoch: '', offset: 0, mode: 'stream', recovered: false, missing: more.missing },
    ] as const;
    const error = { code: 'forbidden', message: 'no' };
    const results = [
      { ...granted, mode: 'stream', topics },
      { topic: 'b', error },
      { ...granted, ...more, mode: 'state' },
    ] as unknown as SubscribeResult[];
    const modeOf = (mode: string) => toClient.Mode[mode === 'state' ? 'MODE_STATE' : 'MODE_STREAM'];
    const listed = topics.map((one) => ({ ...one, mode: modeOf(one.mode) }));
    for (const id of [0, 1, 300]) {
      const frame = protobufCodec.encodeServerFrame({ kind: 'subscribed', id, results });
      const whole = toClient.ServerFrame.encode({
        id,
        subscribed: {
          results: [
            { ...granted, mode: modeOf('stream'), topics: listed },
            { topic: 'b', error },
            { ...granted, ...more, mode: modeOf('state') },
          ],
        },
      }).finish();
      expect(frame).toEqual(new Uint8Array(whole));
    }
  });

  it('does not say where a batch ends that covers one offset', () => {
    for (const after of [0, 6, Number.MAX_SAFE_INTEGER - 1]) {
      const frame = protobufCodec.frameBatch('t', { view: 3, after, upto: after + 1 }, []);
      expect(decodeServerMessage(frame)['batch']).toMatchObject({ after, upto: 0 });
      expect(protobufCodec.decodeServerFrame(frame)).toMatchObject({
        ok: true,
        frame: { after, upto: after + 1 },
      });
    }
    const endless = toClient.ServerFrame.encode({ batch: { after: Number.MAX_SAFE_INTEGER } }).finish();
    expect(protobufCodec.decodeServerFrame(new Uint8Array(endless)).ok).toBe(false);
  });

  it('frames pages of any length for any id as the generated code does', () => {
    const page = { topic: 't', epoch: 'e', after: 0, upto: 9, more: true, missing: { after: 0, upto: 0 } };
    for (const size of [0, 1, 100, 127, 128, 16_383, 16_384, 3_000_000]) {
      const encoded = protobufCodec.encodePublication('t', {
        ...one,
        payload: { format: 'binary', bytes: bytes() },
      });
      const filler = toClient.Batch.encode({ publications: [{ binary: new Uint8Array(size) }] }).finish();
      for (const id of [0, 1, 127, 128, 0xffff_ffff]) {
        const frame = protobufCodec.frameHistory(id, page, [encoded, filler]);
        const decoded = protobufCodec.decodeServerFrame(frame);
        if (!decoded.ok || decoded.frame.kind !== 'history') throw new Error('no page');
        expect(decoded.frame.id).toBe(id);
        expect(decoded.frame.publications.map((each) => each.payload.bytes.length)).toEqual([0, size]);
      }
    }
  });

  it('keeps the payload byte for byte', () => {
    const payload = utf8('{"b":  1.50, "a":"\\u0000ü"}');
    const encoded = protobufCodec.encodePublication('x', {
      ...one,
      payload: { format: 'json', bytes: payload },
    });
    const decoded = protobufCodec.decodeServerFrame(
      protobufCodec.frameBatch('x', { view: 1, after: 6, upto: 7 }, [encoded]),
    );
    if (!decoded.ok || decoded.frame.kind !== 'batch') throw new Error('no batch');
    expect(decoded.frame.publications[0]?.payload).toEqual({ format: 'json', bytes: payload });
  });

  it('ignores fields that it does not know', () => {
    const frame = protobufCodec.encodeClientFrame({ kind: 'ping', id: 4 });
    const field = bytes(0xfa, 0x3f, 3, 1, 2, 3);
    expect(protobufCodec.decodeClientFrame(bytes(...frame, ...field))).toEqual({
      ok: true,
      frame: { kind: 'ping', id: 4 },
    });
  });

  it('names the id of a command that it does not know', () => {
    expect(protobufCodec.decodeClientFrame(bytes(8, 5, 0xfa, 0x3f, 0))).toMatchObject({
      ok: false,
      code: 'unknown_command',
      id: 5,
    });
    expect(protobufCodec.decodeServerFrame(bytes(0xfa, 0x3f, 0))).toMatchObject({
      ok: false,
      code: 'unknown_command',
    });
    expect(protobufCodec.decodeClientFrame(bytes())).toMatchObject({
      ok: false,
      code: 'unknown_command',
      id: 0,
    });
  });

  it('names the id of a frame that breaks after it', () => {
    expect(protobufCodec.decodeClientFrame(bytes(8, 5, 0x52, 200))).toMatchObject({
      ok: false,
      code: 'invalid_frame',
      id: 5,
    });
  });

  it('refuses text that is not UTF-8', () => {
    const presence = encodeClientMessage({ id: 1, presence: { topic: 'xyz' } });
    presence[presence.length - 1] = 0xff;
    expect(protobufCodec.decodeClientFrame(presence)).toMatchObject({ ok: false, code: 'invalid_frame' });
  });

  it('never writes text that a receiver would refuse', () => {
    const half: Publication = { ...one, key: 'a\ud800b', tags: { '\udc00': '\ud83d\ude00\ud83d' } };
    const frame = protobufCodec.encodeServerFrame({
      kind: 'batch',
      id: 0,
      view: 1,
      after: 6,
      upto: 7,
      publications: [half],
    });
    expect(protobufCodec.decodeServerFrame(frame)).toMatchObject({
      frame: { publications: [{ key: 'a\ufffdb', tags: { '\ufffd': '\ud83d\ude00\ufffd' } }] },
    });
  });

  it('refuses offsets above 2^53-1, a negative round trip and an unknown operator', () => {
    const history = bytes(8, 1, 0x32, 14, 0x0a, 1, 0x78, 0x10, ...new Array<number>(9).fill(0xff), 1);
    expect(protobufCodec.decodeClientFrame(history)).toMatchObject({
      ok: false,
      code: 'invalid_request',
      id: 1,
    });
    const ping = encodeClientMessage({ id: 1, ping: { roundTripMs: -1 } });
    expect(protobufCodec.decodeClientFrame(ping)).toMatchObject({ ok: false, code: 'invalid_request' });
    const filter = { op: 77, tag: 'a' } as unknown as { tag: string };
    const subscribe = encodeClientMessage({
      id: 1,
      subscribe: { subscriptions: [{ topic: 'x', filter }] },
    });
    expect(protobufCodec.decodeClientFrame(subscribe)).toMatchObject({ ok: false, code: 'invalid_filter' });
  });

  it.each([
    [0, 'stream'],
    [1, 'state'],
    [2, undefined],
  ])('takes the mode %i of a reset for %s', (mode, name) => {
    const fields = { view: 1, topic: 'x', epoch: 'e', offset: 0 };
    const decoded = protobufCodec.decodeServerFrame(
      toClient.ServerFrame.encode({ reset: { ...fields, mode } }).finish(),
    );
    const frame = { kind: 'reset', id: 0, ...fields, mode: name };
    expect(decoded).toMatchObject(name ? { ok: true, frame } : { ok: false, code: 'invalid_request' });
  });

  it.each([
    [59_998, 'invalid_request'],
    [59_999, 'invalid_frame'],
  ])('decodes 60 000 fields and no more: with %i empty entries the reply is %s', (entries, code) => {
    const subscribe = Buffer.alloc(2 * entries, bytes(0x0a, 0));
    const { length } = subscribe;
    const head = bytes(8, 9, 0x1a, (length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14);
    const frame = Buffer.concat([head, subscribe]);
    expect(protobufCodec.decodeClientFrame(frame)).toMatchObject({ ok: false, id: 9, code });
  });

  it('survives endless nesting', () => {
    // Filters in filters, each of length-delimited field 5, as long as the input allows.
    let filter = bytes(8, 11);
    for (let i = 0; i < 200; i++) filter = bytes(8, 11, 0x2a, ...lengthOf(filter), ...filter);
    const subscription = bytes(0x0a, 1, 0x78, 0x2a, ...lengthOf(filter), ...filter);
    const subscribe = bytes(0x0a, ...lengthOf(subscription), ...subscription);
    const frame = bytes(8, 9, 0x1a, ...lengthOf(subscribe), ...subscribe);
    expect(protobufCodec.decodeClientFrame(frame)).toMatchObject({ ok: false, id: 9 });
    const groups = new Uint8Array(100_000).fill(0xfb);
    expect(protobufCodec.decodeClientFrame(groups).ok).toBe(false);
  });
});

function lengthOf(part: Uint8Array): number[] {
  return part.length < 128 ? [part.length] : [(part.length & 127) | 128, part.length >> 7];
}
