import { describe, expect, test } from 'vitest';
import { compatCodec } from '../../src/compat/codec.ts';
import { jobProgress } from '../../src/compat/job-progress.ts';
import { marketData } from '../../src/compat/market-data.ts';
import { webAdministration } from '../../src/compat/web-administration.ts';
import type { GatewayCodec } from '../../src/protocol/codec.ts';
import type { Publication } from '../../src/protocol/frames.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { publicationOf } from '../support/publication-of.ts';

const now = () => '2026-01-01T00:00:00.000Z';
const market = compatCodec('b', marketData({ namespace: 'market', now }));
const admin = compatCodec('c', webAdministration({ namespace: 'admin', now }));
const jobs = compatCodec('e', jobProgress({ namespace: 'job', now }));

const json = (text: string) => ({ format: 'json', bytes: Buffer.from(text) }) as const;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const header = { view: 1, after: 0, upto: 2 };

const some = (fields: Partial<Publication> = {}) =>
  publicationOf({ offset: 1, timestampMs: 1000, type: 'tick', payload: json('{"n":1}'), ...fields });

function encoded(codec: GatewayCodec, topic: string, fields: Partial<Publication>): string {
  return text(codec.encodePublication(topic, some(fields)));
}

describe('a codec of an older system', () => {
  test('keeps payloads byte for byte', () => {
    const payload = json('{"price": 1.0, "exact":12345678901234567890}');
    expect(encoded(market, 'market:BTC/USDT', { type: 'tick', payload })).toBe(
      '{"type":"tick","symbol":"BTC/USDT","data":{"price": 1.0, "exact":12345678901234567890},' +
        '"timestamp":"1970-01-01T00:00:01.000Z"}',
    );
    expect(encoded(jobs, 'job:7', { type: 'job_progress', payload: json('{"progress":1.0}') })).toBe(
      '{"type":"job_progress","progress":1.0,"job_id":"7","timestamp":"1970-01-01T00:00:01.000Z"}',
    );
  });

  test('lets no payload repeat a member of the message', () => {
    const payload = json('{"type":"evil","job_id":"8","\\u0074imestamp":"then","n":1}');
    const message = encoded(jobs, 'job:7', { type: 'job_progress', payload });
    expect(message).toBe('{"type":"job_progress","job_id":"8","\\u0074imestamp":"then","n":1}');
    expect(JSON.parse(message)).toEqual({ type: 'job_progress', job_id: '8', timestamp: 'then', n: 1 });
  });

  test.each(['null', '[1]', '"text"', '3', '{}'])('carries the payload %s', (payload) => {
    for (const [codec, topic] of [
      [market, 'market:X'],
      [admin, 'admin:rules'],
      [jobs, 'job:7'],
    ] as const) {
      const message = JSON.parse(encoded(codec, topic, { type: 'rule_change', payload: json(payload) }));
      if (codec !== jobs || payload !== '{}') expect(message).toMatchObject({ data: JSON.parse(payload) });
    }
  });

  test('carries bytes as base64, and nothing as null', () => {
    const payload = { format: 'binary', bytes: new Uint8Array([1, 2]) } as const;
    expect(JSON.parse(encoded(admin, 'admin:rules', { type: 'rule_change', payload }))).toMatchObject({
      dataBase64: 'AQI=',
    });
    expect(JSON.parse(encoded(jobs, 'job:7', { payload: json('') }))).toMatchObject({ data: null });
  });

  test('says nothing of what its system had no word for', () => {
    expect(encoded(market, 'market:X', { removed: true })).toBe('');
    expect(market.frameBatch('market:X', header, [])).toHaveLength(0);
    expect(
      market.frameSnapshot({ ...header, topic: 'x', epoch: 'e', offset: 1, first: true, last: true }, []),
    ).toHaveLength(0);
    const frames: readonly ServerFrame[] = [
      { kind: 'lagging', id: 0, views: [1] },
      { kind: 'goingAway', id: 0, reconnectDelayMs: 5, reason: 'going_away' },
      { kind: 'unsubscribed', id: 0, views: [1] },
      { kind: 'reset', id: 0, view: 1, topic: 'x', epoch: 'e', offset: 0, mode: 'stream' },
      { kind: 'caughtUp', id: 0, view: 1, topic: 'x', epoch: 'e', offset: 5, recovered: true },
    ];
    for (const frame of frames)
      expect([frame.kind, text(market.encodeServerFrame(frame))]).toEqual([frame.kind, '']);
  });

  test('names what is lost', () => {
    const frame: ServerFrame = {
      kind: 'caughtUp',
      id: 0,
      view: 1,
      topic: 'market:X',
      epoch: 'e',
      offset: 7,
      recovered: false,
      missing: { after: 3, upto: 7 },
    };
    expect(JSON.parse(text(market.encodeServerFrame(frame)))).toEqual({
      type: 'error',
      code: 'messages_lost',
      message: '4 messages of market:X are lost',
      timestamp: now(),
    });
  });

  test('sends messages that are alone in a batch as they are, and shares their bytes', () => {
    const piece = market.encodePublication('market:X', some());
    const removal = market.encodePublication('market:X', some({ removed: true }));
    expect(market.frameBatch('market:X', header, [piece])).toBe(piece);
    expect(admin.frameBatch('admin:x', header, [removal, piece, removal])).toBe(piece);
    expect(JSON.parse(text(admin.frameBatch('admin:x', header, [piece, removal, piece])))).toMatchObject({
      type: 'batch',
      topic: 'x',
      count: 2,
      messages: [{}, {}],
    });
    expect([market.publicationsPerFrame, admin.publicationsPerFrame]).toEqual([1, 10]);
  });

  test.each([
    '{"type":"subscribe","symbol":"\\ud800"}',
    '{"type":"subscribe","symbol":null}',
    '{"type":"constructor"}',
  ])('refuses %s', (message) => {
    expect(market.decodeClientFrame(Buffer.from(message))).toMatchObject({ ok: false, id: 0 });
  });
});
