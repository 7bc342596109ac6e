import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PublishBodies } from '../../src/api/publish-body.ts';
import { SluiceError } from '../../src/errors.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { nowMs, payloadMaxBytes, startApi } from './harness.ts';

const bodies = new PublishBodies(payloadMaxBytes);
const read = (text: string) => bodies.publish(Buffer.from(text));
const fields = (text: string) => read(text) as PublishFields;

describe('POST /api/publish', () => {
  test('returns the position, and nothing else', async () => {
    const { post } = await startApi();
    const first = await post('/api/publish', '{"topic":"stats","type":"stats_update","data":{"a":1}}');
    expect(first.status).toBe(200);
    expect(first.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(first.text).toMatch(/^\{"epoch":"[^"]+","offset":1\}$/);
    const second = await post('/api/publish', '{"topic":"stats"}');
    expect(second.json()).toEqual({ epoch: first.json<{ epoch: string }>().epoch, offset: 2 });
  });

  test('a repeated messageId returns the first position and says so', async () => {
    const { post } = await startApi();
    const body = '{"topic":"stats","data":1,"messageId":"m-1"}';
    const first = (await post('/api/publish', body)).json();
    expect((await post('/api/publish', body)).json()).toEqual({ ...first, duplicate: true });
    const other = await post('/api/publish', '{"topic":"stats","data":2,"messageId":"m-1"}');
    expect([other.status, other.json()]).toMatchObject([409, { error: { code: 'message_id_conflict' } }]);
  });

  test.each([
    ['no topic', '{}', 400, 'invalid_request'],
    ['an empty topic', '{"topic":""}', 400, 'invalid_topic'],
    ['a topic outside the grammar', '{"topic":"a b"}', 400, 'invalid_topic'],
    ['a topic of Sluice’s own', '{"topic":"$all"}', 400, 'invalid_topic'],
    ['a pattern', '{"topic":"a*"}', 400, 'invalid_topic'],
    ['the type of a control frame', '{"topic":"t","type":"message"}', 400, 'invalid_type'],
    ['a type outside the grammar', '{"topic":"t","type":"a b"}', 400, 'invalid_type'],
    ['no JSON', '{"topic":', 400, 'invalid_json'],
    ['an empty body', '', 400, 'invalid_json'],
    ['an array', '[]', 400, 'invalid_json'],
    ['a member twice', '{"topic":"t","topic":"u"}', 400, 'invalid_json'],
    ['a member twice, once escaped', '{"topic":"t","t\\u006fpic":"u"}', 400, 'invalid_json'],
    ['a member twice within data', '{"topic":"t","data":{"a":1,"a":2}}', 400, 'invalid_json'],
    ['both payloads', '{"topic":"t","data":null,"dataBase64":""}', 400, 'invalid_request'],
    ['no base64', '{"topic":"t","dataBase64":"A"}', 400, 'invalid_request'],
    ['a timestamp without zone', '{"topic":"t","timestamp":"2026-01-01T00:00:00"}', 400, 'invalid_request'],
    ['a timestamp before 1970', '{"topic":"t","timestamp":"1969-12-31T23:59:59Z"}', 400, 'invalid_request'],
    ['a day that is none', '{"topic":"t","timestamp":"2026-02-30T00:00:00Z"}', 400, 'invalid_request'],
    ['a tag that is no text', '{"topic":"t","tags":{"a":1}}', 400, 'invalid_request'],
    ['a member that no object holds', '{"topic":"t","__proto__":{}}', 400, 'invalid_request'],
    ['an expected offset', '{"topic":"t","expectedOffset":1}', 400, 'invalid_request'],
  ])('%s is refused', async (_, body, status, code) => {
    const { post, broker } = await startApi();
    const answer = await post('/api/publish', body);
    expect([answer.status, answer.json()]).toMatchObject([status, { error: { code } }]);
    expect(broker.size).toBe(0);
  });

  test('bytes that are not UTF-8 are refused, wherever they are', async () => {
    const { post } = await startApi();
    const body = Buffer.concat([
      Buffer.from('{"topic":"t","data":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    expect((await post('/api/publish', body)).json()).toMatchObject({ error: { code: 'invalid_json' } });
  });

  test('every fault is listed, unknown members by their names', async () => {
    const { post } = await startApi();
    const answer = await post('/api/publish', '{"topci":"t","ttlMs":0,"removed":"yes","nmae":1}');
    const { error } = answer.json<{ error: { details: { path: string }[] } }>();
    expect(error.details.map(({ path }) => path).sort()).toEqual([
      'nmae',
      'removed',
      'topci',
      'topic',
      'ttlMs',
    ]);
  });

  test('a body has at most 100 members: the rest is not read', async () => {
    const { post } = await startApi();
    const answer = async (count: number, end = '}') => {
      const strangers = Array.from({ length: count - 1 }, (_, i) => `,"x${i}":1`);
      return (await post('/api/publish', `{"topic":"t"${strangers.join('')}${end}`)).json();
    };
    const members = {
      error: { code: 'invalid_request', message: expect.stringContaining('is not known here') },
    };
    expect(await answer(99)).toMatchObject(members);
    expect(await answer(100)).toMatchObject(members);
    const over = { code: 'invalid_request', message: expect.stringContaining('more than 100 members') };
    expect(await answer(101)).toMatchObject({ error: over });
    expect(await answer(101, 'not looked at')).toMatchObject({ error: over });
  });
});

/** Each unit as an escape. */
const escapedText = (text: string) =>
  `"${[...Array(text.length).keys()].map((i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`;

describe('what a body asks to publish', () => {
  test('is what all of its members say', () => {
    const body = {
      topic: 'server:web-01',
      type: 'status_change',
      key: 'cpu',
      tags: { level: 'critical' },
      messageId: 'm-1',
      ttlMs: 60_000,
      except: 'session-1',
      timestamp: '2026-01-01T01:00:00.000+01:00',
      removed: true,
      dataBase64: 'AAH/',
    };
    const { timestamp: _timestamp, dataBase64: _dataBase64, ...same } = body;
    expect(read(JSON.stringify(body))).toEqual({
      ...same,
      timestampMs: nowMs,
      payload: { format: 'binary', bytes: Uint8Array.of(0, 1, 255) },
    });
  });

  test('absent and null members are the same', () => {
    const expected = {
      topic: 't',
      type: 'publication',
      payload: { format: 'json', bytes: Buffer.from('null') },
    };
    expect(fields('{"topic":"t"}')).toMatchObject({ ...expected, payload: { format: 'json' } });
    expect(fields('{"topic":"t","type":null,"key":null,"tags":null,"ttlMs":null,"timestamp":null}')).toEqual(
      fields('{"topic":"t"}'),
    );
    expect(Buffer.from(fields('{"topic":"t"}').payload.bytes).toString()).toBe('null');
  });

  test('data is the exact bytes of the body', () => {
    for (const data of [
      '1.0',
      '1e2',
      '"\\u0041"',
      '{ "a" : [ 1 , 2 ] }',
      '-0',
      'null',
      '"ü€😀"',
      '12345678901234567890',
    ]) {
      expect(Buffer.from(fields(`{"data": ${data} ,"topic":"t"}`).payload.bytes).toString()).toBe(data);
    }
  });

  test('data is left as it is, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.boolean(), (data, first) => {
        const result = read(first ? `{"data":${data},"topic":"t"}` : `{"topic":"t","data":${data}}`);
        if (result instanceof SluiceError) expect(result.code).toBe('invalid_json');
        else expect(Buffer.from(result.payload.bytes).toString()).toBe(data);
      }),
    );
  });

  test('is what its members say, wherever they are and however they are written', () => {
    const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'a/b', '😀', '"\\', '\u0001'));
    const name = fc.oneof(text, fc.constant('__proto__'));
    const members = {
      topic: text.filter((each) => !each.startsWith('$') && !each.startsWith('user:')),
      type: text,
      key: text,
      tags: fc.dictionary(name, text, { noNullPrototype: true }),
      messageId: text,
      ttlMs: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      except: text,
      removed: fc.constant(true),
      data: fc.jsonValue(),
    };
    const body = fc.record(members, { requiredKeys: ['topic'] });
    const spelled = (json: string) =>
      json.replaceAll(/[a-z]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
    fc.assert(
      fc.property(
        body,
        fc.constantFrom(undefined, 1),
        fc.boolean(),
        fc.boolean(),
        (asked, indent, last, escaped) => {
          const entries = Object.entries(asked);
          const shuffled = last ? entries : entries.reverse();
          const texts = shuffled.map(([name, value]) => {
            const json = JSON.stringify(value, null, indent);
            const isText = typeof value === 'string' && name !== 'data';
            return `${escaped ? spelled(`"${name}"`) : `"${name}"`}:${escaped && isText ? escapedText(value) : json}`;
          });
          const { data, ...others } = asked;
          const { payload, ...got } = fields(`{${texts.join(',')}}`);
          expect(got).toEqual({ type: 'publication', ...others });
          expect(JSON.parse(Buffer.from(payload.bytes).toString())).toEqual(
            JSON.parse(JSON.stringify(data ?? null)),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('whatever the bytes are, reading them does not throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(bodies.publish(bytes)).toBeDefined();
      }),
    );
  });
});

describe('POST /api/broadcast', () => {
  test('publishes to the topic that every session joins', async () => {
    const { post, broker } = await startApi();
    expect((await post('/api/broadcast', '{"type":"system_message","data":"hi"}')).json()).toMatchObject({
      offset: 1,
    });
    expect(broker.find('$all')?.ring.newest).toBe(1);
  });

  test('takes no topic', async () => {
    const { post } = await startApi();
    expect((await post('/api/broadcast', '{"topic":"stats"}')).json()).toMatchObject({
      error: { code: 'invalid_request', details: [{ path: 'topic' }] },
    });
  });
});
