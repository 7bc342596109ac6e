import { describe, expect, it } from 'vitest';
import type { Publication } from '../../../src/protocol/frames.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import { utf8 } from '../../../src/protocol/utf8.ts';
import { jsonCodec } from '../../support/codecs.ts';
import { publicationOf } from '../../support/publication-of.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const decode = (json: string) => jsonCodec.decodeClientFrame(utf8(json));
const data = '{"b":  1.50, "a":"\\u0000ü"}';
const timestampMs = Date.UTC(2026, 10, 22, 1, 2, 3, 4);
const stats = publicationOf({
  offset: 7,
  timestampMs,
  type: 'stats_update',
  payload: { format: 'json', bytes: utf8(data) },
});

describe('a batch in JSON', () => {
  const encoded = jsonCodec.encodePublication('stats', stats);
  const flat = `{"type":"stats_update","topic":"stats","data":${data},"timestamp":"2026-11-22T01:02:03.004Z","offset":7`;

  it('of one publication is the publication and its view', () => {
    const frame = jsonCodec.frameBatch('stats', { view: 1, after: 6, upto: 7 }, [encoded]);
    expect(text(frame)).toBe(`${flat},"view":1}`);
  });

  it('of a pattern also says the epoch', () => {
    const header = { view: 1, topic: 'stats', epoch: 'k"1', after: 6, upto: 7 };
    expect(text(jsonCodec.frameBatch('stats', header, [encoded]))).toBe(`${flat},"epoch":"k\\"1","view":1}`);
  });

  it.each([
    [5, 7, [encoded], `${flat}}`],
    [6, 8, [encoded], `${flat}}`],
    [6, 9, [encoded, encoded], `${flat}},${flat}}`],
    [6, 9, [], ''],
  ])('that covers (%d, %d] otherwise lists its messages', (after, upto, publications, messages) => {
    const frame = jsonCodec.frameBatch('stats', { view: 1, after, upto }, publications);
    const head = `{"type":"batch","topic":"stats","view":1,"after":${after},"upto":${upto}`;
    expect(text(frame)).toBe(`${head},"messages":[${messages}]}`);
  });

  it('writes key, tags and removed where they are set, and bytes in base64', () => {
    const full: Publication = {
      ...stats,
      key: 'k',
      tags: { level: 'critical' },
      removed: true,
      payload: { format: 'binary', bytes: new Uint8Array([0, 255, 1, 2]) },
    };
    expect(text(jsonCodec.encodePublication('stats', full))).toBe(
      '{"type":"stats_update","topic":"stats","key":"k","tags":{"level":"critical"},"dataBase64":"AP8BAg==","timestamp":"2026-11-22T01:02:03.004Z","offset":7,"removed":true}',
    );
  });
});

describe('the other frames in JSON', () => {
  it('say points in time as RFC 3339, durations in milliseconds, and the id only in replies', () => {
    const pong = { kind: 'pong', timeMs: timestampMs } as const;
    expect(text(jsonCodec.encodeServerFrame({ ...pong, id: 3 }))).toBe(
      '{"type":"pong","id":3,"time":"2026-11-22T01:02:03.004Z"}',
    );
    expect(text(jsonCodec.encodeServerFrame({ ...pong, id: 0 }))).toBe(
      '{"type":"pong","time":"2026-11-22T01:02:03.004Z"}',
    );
    expect(
      text(
        jsonCodec.encodeServerFrame({
          kind: 'error',
          id: 9,
          code: 'rate_limited',
          number: 140,
          message: 'slower',
          retry: true,
          retryAfterMs: 20,
        }),
      ),
    ).toBe(
      '{"type":"error","id":9,"code":"rate_limited","number":140,"message":"slower","retry":true,"retryAfterMs":20}',
    );
    expect(
      text(
        jsonCodec.encodeServerFrame({ kind: 'goingAway', id: 0, reconnectDelayMs: 5, reason: 'going_away' }),
      ),
    ).toBe('{"type":"goingAway","reconnectDelayMs":5,"reason":"going_away"}');
  });

  it('leave tags alone, whatever their names are', () => {
    const tags = JSON.parse('{"timeMs":"soon","__proto__":"x"}') as Record<string, string>;
    const fields = publishOf({ topic: 't', type: 'y', payload: stats.payload, tags });
    const frame = { kind: 'publish', id: 1, ...fields } as const;
    const decoded = jsonCodec.decodeClientFrame(jsonCodec.encodeClientFrame(frame));
    expect(decoded.ok && decoded.frame.kind === 'publish' && JSON.stringify(decoded.frame.tags)).toBe(
      JSON.stringify(tags),
    );
  });

  it('cannot be compressed', () => {
    const compressed = { deflate: new Uint8Array(1), plainBytes: 1, crc32: 0, dictionary: 0 };
    expect(() =>
      jsonCodec.encodeServerFrame({
        kind: 'batch',
        id: 0,
        view: 1,
        after: 0,
        upto: 1,
        publications: [],
        compressed,
      }),
    ).toThrow(TypeError);
  });
});

describe('a command in JSON', () => {
  it('subscribes to one topic, flat', () => {
    const flat = decode(
      '{"type":"subscribe","id":1,"topic":"x","since":{"epoch":"e","offset":4},"last":null}',
    );
    const listed = decode(
      '{"type":"subscribe","id":1,"subscriptions":[{"topic":"x","since":{"epoch":"e","offset":4}}]}',
    );
    const frame = {
      kind: 'subscribe',
      id: 1,
      subscriptions: [{ topic: 'x', since: { epoch: 'e', offset: 4 } }],
    };
    expect(flat).toEqual({ ok: true, frame });
    expect(listed).toEqual({ ok: true, frame });
  });

  it('leaves out malformed entries of a list', () => {
    const ping = decode('{"type":"ping","id":1,"acks":[{"view":1,"offset":-1},7,{"view":2,"offset":3}]}');
    expect(ping).toMatchObject({ frame: { acks: [{ view: 2, offset: 3 }] } });
    const unsubscribe = decode('{"type":"unsubscribe","id":1,"views":[-1,null,3],"topics":["x",7]}');
    expect(unsubscribe).toMatchObject({ frame: { views: [3], topics: ['x'] } });
  });

  it('unsubscribes from one view or topic', () => {
    expect(decode('{"type":"unsubscribe","id":1,"view":3}')).toMatchObject({ frame: { views: [3] } });
    expect(decode('{"type":"unsubscribe","id":1,"topic":"x"}')).toMatchObject({ frame: { topics: ['x'] } });
  });

  it('publishes the exact bytes of data under the type in "event"', () => {
    const decoded = decode(
      `{"type":"publish","topic":"x","event":"y", "data" : ${data} ,"timestamp":"2026-11-22T02:02:03.004+01:00"}`,
    );
    expect(decoded).toMatchObject({
      ok: true,
      frame: { kind: 'publish', id: 0, topic: 'x', type: 'y', timestampMs },
    });
    expect(decoded.ok && decoded.frame.kind === 'publish' && text(decoded.frame.payload.bytes)).toBe(data);
  });

  it('publishes null where there is no data', () => {
    const decoded = decode('{"type":"publish","topic":"x","event":"y"}');
    expect(decoded.ok && decoded.frame.kind === 'publish' && text(decoded.frame.payload.bytes)).toBe('null');
  });

  it('may have unknown fields', () => {
    expect(decode('{"type":"presence","id":2,"topic":"x","new":{"a":[1]}}')).toEqual({
      ok: true,
      frame: { kind: 'presence', id: 2, topic: 'x' },
    });
  });

  it.each([
    ['{"type":"ping"', 'invalid_json', 0],
    ['{"type":"ping","id":1,"id":2}', 'invalid_json', 0],
    ['{"type":"publish","id":1,"data":{"a":1,"a":2}}', 'invalid_json', 0],
    ['[]', 'invalid_frame', 0],
    ['"ping"', 'invalid_frame', 0],
    ['{"id":5}', 'invalid_frame', 5],
    ['{"id":5,"type":1}', 'invalid_frame', 5],
    ['{"id":5,"type":"dance"}', 'unknown_command', 5],
    ['{"id":5,"type":"constructor"}', 'unknown_command', 5],
    ['{"id":5,"type":"batch"}', 'unknown_command', 5],
    ['{"id":-1,"type":"ping"}', 'invalid_request', 0],
    ['{"id":1.5,"type":"ping"}', 'invalid_request', 0],
    ['{"id":4294967296,"type":"ping"}', 'invalid_request', 0],
    ['{"id":"1","type":"ping"}', 'invalid_request', 0],
    ['{"id":4294967295,"type":"presence","topic":1}', 'invalid_request', 4294967295],
    ['{"id":5,"type":"presence"}', 'invalid_request', 5],
    ['{"id":5,"type":"publish","topic":"x","event":"y","data":1,"dataBase64":"AA=="}', 'invalid_request', 5],
    ['{"id":5,"type":"publish","topic":"x","event":"y","dataBase64":"AB=="}', 'invalid_request', 5],
    [
      '{"id":5,"type":"publish","topic":"x","event":"y","timestamp":"2026-02-29T00:00:00Z"}',
      'invalid_request',
      5,
    ],
    ['{"id":5,"type":"publish","topic":"x","event":"y","timestamp":1}', 'invalid_request', 5],
    ['{"id":5,"type":"publish","topic":"x","event":"y","tags":{"a":1}}', 'invalid_request', 5],
    ['{"id":5,"type":"publish","topic":"x","event":"y","key":"\\ud800"}', 'invalid_request', 5],
    ['{"id":5,"type":"publish","topic":"x","event":"y","tags":{"\\udc00":""}}', 'invalid_request', 5],
    ['{"id":5,"type":"subscribe","topic":"x","filter":{"op":"like","tag":"a"}}', 'invalid_filter', 5],
    ['{"id":5,"type":"subscribe","topic":"x","filter":{"op":"not","filters":[]}}', 'invalid_filter', 5],
    ['{"id":5,"type":"subscribe","topic":"x","filter":{"op":"lt","tag":"a"}}', 'invalid_filter', 5],
    ['{"id":5,"type":"subscribe"}', 'invalid_request', 5],
  ])('%s is refused: %s', (json, code, id) => {
    expect(decode(json)).toMatchObject({ ok: false, code, id });
  });

  it('is refused when it is not UTF-8', () => {
    const bytes = utf8('{"type":"presence","topic":"x"}');
    bytes[28] = 0xff;
    expect(jsonCodec.decodeClientFrame(bytes)).toMatchObject({ ok: false, code: 'invalid_json' });
  });
});

describe('a frame for the client in JSON', () => {
  it('of an unknown kind is told apart from a publication', () => {
    const decoded = jsonCodec.decodeServerFrame(utf8('{"type":"novelty","topic":"x","offset":3}'));
    expect(decoded).toMatchObject({ ok: false, code: 'unknown_command' });
  });

  it('names the mode of a topic, where absent a stream', () => {
    const reset = { kind: 'reset', id: 0, view: 1, topic: 'x', epoch: 'e', offset: 0 } as const;
    const text = '{"type":"reset","view":1,"topic":"x","epoch":"e","offset":0,"mode":"state"}';
    expect(new TextDecoder().decode(jsonCodec.encodeServerFrame({ ...reset, mode: 'state' }))).toBe(text);
    const without = text.replace(',"mode":"state"', '');
    expect(jsonCodec.decodeServerFrame(utf8(without))).toEqual({
      ok: true,
      frame: { ...reset, mode: 'stream' },
    });
    const unknown = utf8(text.replace('state', 'tide'));
    expect(jsonCodec.decodeServerFrame(unknown)).toMatchObject({ ok: false, code: 'invalid_request' });
  });

  it.each([
    '{"type":"batch","view":1,"after":0,"upto":1,"messages":{}}',
    '{"type":"batch","view":1,"after":0,"upto":1,"messages":[1]}',
  ])('with messages that are no list of objects is refused: %s', (json) => {
    expect(jsonCodec.decodeServerFrame(utf8(json))).toMatchObject({ ok: false, code: 'invalid_request' });
  });
});
