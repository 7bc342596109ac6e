import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandKinds } from '../../src/protocol/client-frames.ts';
import type { Payload, Publication } from '../../src/protocol/frames.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { serverKinds } from '../../src/protocol/server-frames.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { gatewayOfFile } from '../support/sdk.ts';

/** Spaces, a zero that JSON.parse would drop, an escape of a character that needs none, and one beyond ASCII. */
const exact = '{"b":  1.50, "a":"\\u0000ü"}';
const others = [
  '1.0',
  '-0',
  '1e400',
  '12345678901234567890.10',
  '"\\u00fc\\/"',
  '[ ]',
  '{ }',
  ' [1 ,\t2]',
  'null',
];
const every = [exact, ...others];
/** White space around a value belongs to the message, not to the value. */
const value = (text: string) => text.trim();

let topics = 0;

const gateway = gatewayOfFile({ commandsPerSecond: 10_000, handshakesPerSecondPerIp: 1000 });

const newTopic = (namespace = 'bytes') => `${namespace}:${++topics}`;

function jsonClient(): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl));
}

function protobufClient(): Promise<ProtobufClient> {
  return opened(ProtobufClient.open(gateway.wsUrl));
}

async function publish(topic: string, data: string, more = ''): Promise<{ epoch: string; offset: number }> {
  const answer = await gateway.post('/api/publish', `{"topic":"${topic}","type":"e","data":${data}${more}}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as { epoch: string; offset: number };
}

/** Subscribes and returns the number of the view. */
async function viewOf(client: ProtobufClient, topic: string, since?: { epoch: string; offset: number }) {
  const reply = await client.call('subscribe', { subscriptions: [{ topic, since }] });
  const result = reply.kind === 'subscribed' ? reply.results[0] : undefined;
  if (result === undefined || 'error' in result) throw new Error(JSON.stringify(reply));
  return result.view;
}

/** The raw text between each `"data":` and what follows it in a publication, in order. */
function dataTexts(message: string): string[] {
  return [...message.matchAll(/"data":(.*?),"timestamp":"/gs)].map(([, data]) => data as string);
}

function jsonDataTexts(client: JsonClient, topic: string): string[] {
  return client.texts.filter((text) => text.includes(`"topic":"${topic}"`)).flatMap(dataTexts);
}

const textsOf = (publications: readonly Publication[]) =>
  publications.map(({ payload }) => `${payload.format}:${Buffer.from(payload.bytes).toString()}`);
const asJson = (texts: readonly string[]) => texts.map((text) => `json:${value(text)}`);

function publicationsOf(frame: ServerFrame): readonly Publication[] {
  return 'publications' in frame ? frame.publications : [];
}

describe('the bytes of data', () => {
  it('arrive as they were posted, at subscribers of both codecs, of patterns and of filters', async () => {
    const topic = newTopic();
    const [json, pattern, filtered, protobuf] = [
      await jsonClient(),
      await jsonClient(),
      await jsonClient(),
      await protobufClient(),
    ];
    await json.call({ type: 'subscribe', topic });
    await pattern.call({ type: 'subscribe', topic: `${topic}*` });
    await filtered.call({ type: 'subscribe', topic, filter: { op: 'exists', tag: 'kept' } });
    const view = await viewOf(protobuf, topic);
    for (const data of every) await publish(topic, data, ',"tags":{"kept":"1"}');
    expect(textsOf(await protobuf.count(view, every.length))).toEqual(asJson(every));
    for (const client of [json, pattern, filtered]) {
      await client.count(topic, every.length);
      expect(jsonDataTexts(client, topic)).toEqual(every.map(value));
    }
  });

  it('are the same from arrays and lines of publications', async () => {
    const topic = newTopic();
    const json = await jsonClient();
    await json.call({ type: 'subscribe', topic });
    const items = every.map((data) => `{"topic":"${topic}","type":"e","data":${data}}`);
    await gateway.post('/api/publish/batch', `[${items.join(' , ')}]`);
    await gateway.post('/api/publish/batch', items.join('\n'), { 'content-type': 'application/x-ndjson' });
    await json.count(topic, 2 * every.length);
    expect(jsonDataTexts(json, topic)).toEqual([...every, ...every].map(value));
  });

  it('are the same when they are recovered from the ring', async () => {
    const topic = newTopic();
    const { epoch } = await publish(topic, '0');
    for (const data of every) await publish(topic, data);
    const since = { epoch, offset: 1 };
    const json = await jsonClient();
    await json.call({ type: 'subscribe', topic, since });
    await json.count(topic, every.length);
    expect(jsonDataTexts(json, topic)).toEqual(every.map(value));
    const protobuf = await protobufClient();
    const view = await viewOf(protobuf, topic, since);
    expect(textsOf(await protobuf.count(view, every.length))).toEqual(asJson(every));
  });

  it('are the same in history, over HTTP and both codecs, and in the latest', async () => {
    const topic = newTopic();
    for (const data of every) await publish(topic, data);
    const page = await (await fetch(`${gateway.url}/api/topics/${topic}/history`)).text();
    expect(dataTexts(page)).toEqual(every.map(value));
    const json = await jsonClient();
    await json.call({ type: 'history', topic });
    expect(dataTexts(json.texts.at(-1) as string)).toEqual(every.map(value));
    const protobuf = await protobufClient();
    const history = await protobuf.call('history', { topic });
    expect(textsOf(publicationsOf(history))).toEqual(asJson(every));
    const latest = await (await fetch(`${gateway.url}/api/topics/${topic}/latest`)).text();
    expect(dataTexts(latest)).toEqual([value(every.at(-1) as string)]);
  });

  it('are the same in the snapshot of a state topic', async () => {
    const topic = newTopic('server');
    for (const [key, data] of every.entries()) await publish(topic, data, `,"key":"${key}"`);
    const json = await jsonClient();
    await json.call({ type: 'subscribe', topic });
    await json.until((frame) => frame.type === 'snapshot' && frame['last'] === true);
    expect(jsonDataTexts(json, topic)).toEqual(every.map(value));
    const protobuf = await protobufClient();
    await viewOf(protobuf, topic);
    expect(textsOf((await protobuf.kind('snapshot')).publications)).toEqual(asJson(every));
  });

  it('are the same when they were published over WebSocket, in both codecs', async () => {
    const topic = newTopic();
    const [json, protobuf] = [await jsonClient(), await protobufClient()];
    await json.call({ type: 'subscribe', topic });
    const view = await viewOf(protobuf, topic);
    let id = 1000;
    for (const data of every) {
      json.socket.send(`{"type":"publish","id":${++id},"topic":"${topic}","data":${data} ,"event":"e"}`);
      await json.until((frame) => frame['id'] === id);
    }
    for (const data of every) {
      const payload: Payload = { format: 'json', bytes: Buffer.from(data) };
      expect((await protobuf.call('publish', publishOf({ topic, type: 'e', payload }))).kind).toBe(
        'published',
      );
    }
    await json.count(topic, 2 * every.length);
    const texts = jsonDataTexts(json, topic);
    expect(texts.slice(0, every.length)).toEqual(every.map(value));
    // Here the payload is all of the field, so its white space is its own.
    expect(texts.slice(every.length)).toEqual(every);
    const all = textsOf(await protobuf.count(view, 2 * every.length));
    expect(all).toEqual([...asJson(every), ...every.map((text) => `json:${text}`)]);
  });

  it('that are no JSON are base64 in JSON, and as they are in protobuf', async () => {
    const topic = newTopic();
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const base64 = Buffer.from(bytes).toString('base64');
    const [json, protobuf] = [await jsonClient(), await protobufClient()];
    await json.call({ type: 'subscribe', topic });
    const view = await viewOf(protobuf, topic);
    await gateway.post('/api/publish', JSON.stringify({ topic, type: 'e', dataBase64: base64 }));
    await json.call({ type: 'publish', topic, event: 'e', dataBase64: base64 });
    await protobuf.call('publish', publishOf({ topic, type: 'e', payload: { format: 'binary', bytes } }));
    await gateway.post('/api/publish', JSON.stringify({ topic, type: 'e', dataBase64: '' }));
    const frames = await json.count(topic, 4);
    expect(frames.map((frame) => frame['dataBase64'])).toEqual([base64, base64, base64, '']);
    expect(frames.filter((frame) => 'data' in frame)).toEqual([]);
    const payloads = (await protobuf.count(view, 4)).map(({ payload }) => payload);
    expect(payloads.map(({ format }) => format)).toEqual(['binary', 'binary', 'binary', 'binary']);
    expect(payloads.map((payload) => Buffer.from(payload.bytes).toString('base64'))).toEqual([
      base64,
      base64,
      base64,
      '',
    ]);
    const page = (await (await fetch(`${gateway.url}/api/topics/${topic}/history`)).json()) as {
      messages: Frame[];
    };
    expect(page.messages.map((message) => message['dataBase64'])).toEqual([base64, base64, base64, '']);
  });

  it('are the same whatever JSON they are', async () => {
    const topic = newTopic();
    const [json, protobuf] = [await jsonClient(), await protobufClient()];
    await json.call({ type: 'subscribe', topic });
    const view = await viewOf(protobuf, topic);
    const published: string[] = [];
    await fc.assert(
      fc.asyncProperty(jsonText, async (data) => {
        published.push(data);
        await publish(topic, data);
        await json.count(topic, published.length);
        const live = (await protobuf.count(view, published.length)).at(-1) as Publication;
        expect(Buffer.from(live.payload.bytes).toString()).toBe(data);
        const text = json.texts.at(-1) as string;
        const start = text.indexOf('"data":') + '"data":'.length;
        expect(text.slice(start, text.lastIndexOf(',"timestamp":"'))).toBe(data);
      }),
      { numRuns: 50 },
    );
    const late = await protobufClient();
    const history = await late.call('history', { topic, limit: 1000 });
    expect(textsOf(publicationsOf(history))).toEqual(published.map((text) => `json:${text}`));
    const { epoch } = history as ServerFrame & { epoch: string };
    const lateView = await viewOf(late, topic, { epoch, offset: 0 });
    const recovered = await late.count(lateView, published.length);
    expect(textsOf(recovered)).toEqual(published.map((text) => `json:${text}`));
  });
});

/** JSON text with white space, numbers and escapes as a writer might choose them; no member twice. */
const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string; string: string }>((tie) => {
  const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 });
  const spaced = fc.tuple(space, tie('value'), space).map((parts) => parts.join(''));
  const plain = fc.string({ unit: 'grapheme', maxLength: 12 });
  const number = fc.oneof(
    fc.constantFrom('0', '-0', '1.0', '1.50', '-1e5', '1E+2', '0.1e-7', '1e999', '12345678901234567890.10'),
    fc.integer().map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  );
  const member = fc.tuple(plain, fc.boolean(), space, spaced).map(([name, escapes, before, data]) => ({
    name,
    text: `${escapes ? escaped(name) : JSON.stringify(name)}${before}:${data}`,
  }));
  const list = (open: string, close: string) => (texts: string[]) => `${open}${texts.join(',')}${close}`;
  return {
    string: fc.oneof(
      plain.map((text) => JSON.stringify(text)),
      plain.map(escaped),
    ),
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('null', 'true', 'false', '{}', '[ ]'),
      number,
      tie('string'),
      fc.array(spaced, { minLength: 1, maxLength: 4 }).map(list('[', ']')),
      fc
        .uniqueArray(fc.tuple(space, member, space), {
          minLength: 1,
          maxLength: 4,
          selector: ([, { name }]) => name,
        })
        .map((members) => list('{', '}')(members.map(([before, { text }, after]) => before + text + after))),
    ),
  };
}).value;

/** Every UTF-16 unit as an escape. */
function escaped(text: string): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`;
}

describe('what no subscriber could read', () => {
  const bytesOf = (...parts: (string | number[])[]) =>
    new Uint8Array(
      Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part)))),
    );
  const noUtf8: Record<string, number[]> = {
    'a byte that never is': [0xff],
    'a lone continuation': [0x80],
    'a start without its rest': [0xc3],
    'an overlong zero': [0xc0, 0x80],
    'half a surrogate pair': [0xed, 0xa0, 0x80],
    'beyond the last character': [0xf4, 0x90, 0x80, 0x80],
    'a long start cut short': [0xf0, 0x9f, 0x98],
  };
  const noJson = [
    '',
    '{"a":1,"a":2}',
    '{"a":[{"x":1,"x":2}]}',
    '[[{"b":{"c":1,"\\u0063":2}}]]',
    '{"a":1,}',
    '[1,]',
    "{'a':1}",
    'NaN',
    '01',
    '1.',
    '"\n"',
    '"\\x"',
    '"\\u12"',
    '{"a":1}}',
    '1 2',
    '/* */1',
  ];
  const controlNames = [...new Set([...commandKinds, ...serverKinds, 'caught_up', 'going_away'])];

  let json: JsonClient;
  let protobuf: ProtobufClient;
  let topic: string;
  let view: number;

  const refused = async (body: string | Uint8Array<ArrayBuffer>, code: string) => {
    const answer = await gateway.post('/api/publish', body);
    expect(answer.status, String(body)).toBe(400);
    expect(await answer.json(), String(body)).toMatchObject({ error: { code } });
  };

  const subscribed = async () => {
    topic = newTopic();
    json = await jsonClient();
    protobuf = await protobufClient();
    await json.call({ type: 'subscribe', topic });
    view = await viewOf(protobuf, topic);
  };

  /** The next good publication is the first that the subscribers of both codecs get of the topic. */
  const unharmed = async () => {
    const { offset } = await publish(topic, exact);
    expect(offset).toBe(1);
    expect(await json.count(topic, 1)).toMatchObject([{ offset: 1, type: 'e' }]);
    expect(jsonDataTexts(json, topic)).toEqual([exact]);
    expect(textsOf(await protobuf.count(view, 1))).toEqual(asJson([exact]));
    expect(json.closed).toBeUndefined();
  };

  it('that is not UTF-8 is refused, and no subscriber is harmed', async () => {
    await subscribed();
    for (const bytes of Object.values(noUtf8)) {
      await refused(bytesOf(`{"topic":"${topic}","type":"e","data":"`, bytes, '"}'), 'invalid_json');
      await refused(bytesOf(`{"topic":"${topic}","type":"e","key":"`, bytes, '"}'), 'invalid_json');
      await refused(bytesOf(`{"topic":"${topic}","type":"e","data":1}`, bytes), 'invalid_json');
      await refused(bytesOf(bytes, `{"topic":"${topic}","type":"e","data":1}`), 'invalid_json');
      const reply = await protobuf.call(
        'publish',
        publishOf({
          topic,
          type: 'e',
          payload: { format: 'json', bytes: bytesOf('"', bytes, '"') },
        }),
      );
      expect(reply).toMatchObject({ kind: 'error', code: 'invalid_json' });
    }
    const lines = await gateway.post(
      '/api/publish/batch',
      bytesOf(`{"topic":"${topic}","data":"`, [0xff], '"}'),
      { 'content-type': 'application/x-ndjson' },
    );
    expect(JSON.stringify(await lines.json())).toContain('invalid_json');
    await unharmed();
  });

  it('that is not JSON, or has a member twice, is refused, and no subscriber is harmed', async () => {
    await subscribed();
    for (const text of noJson) {
      await refused(`{"topic":"${topic}","type":"e","data":${text}}`, 'invalid_json');
      json.socket.send(`{"type":"publish","id":7,"topic":"${topic}","event":"e","data":${text}}`);
      const payload: Payload = { format: 'json', bytes: Buffer.from(text) };
      const reply = await protobuf.call('publish', publishOf({ topic, type: 'e', payload }));
      expect(reply, text).toMatchObject({ kind: 'error', code: 'invalid_json' });
    }
    await json.call({ type: 'ping' });
    const errors = json.frames.filter(({ type }) => type === 'error');
    expect(errors.map((error) => error['code'])).toEqual(noJson.map(() => 'invalid_json'));
    await refused(`{"topic":"${topic}","topic":"${topic}","type":"e","data":1}`, 'invalid_json');
    await refused(`{"topic":"${topic}","type":"e","data":1,"d\\u0061ta":2}`, 'invalid_json');
    // A byte order mark at the beginning is not part of the body; anywhere else it is not JSON.
    await refused(`\uFEFF\uFEFF{"topic":"${topic}","type":"e","data":1}`, 'invalid_json');
    await refused(`{"topic":"${topic}","type":"e","data":\uFEFF1}`, 'invalid_json');
    await unharmed();
  });

  it('as its type is the name of a control frame is refused, and no subscriber is harmed', async () => {
    await subscribed();
    for (const type of controlNames) {
      await refused(JSON.stringify({ topic, type, data: 1 }), 'invalid_type');
      const overJson = await json.call({ type: 'publish', topic, event: type, data: 1 });
      expect(overJson, type).toMatchObject({ type: 'error', code: 'invalid_type' });
      const payload: Payload = { format: 'json', bytes: Buffer.from('1') };
      const overProtobuf = await protobuf.call('publish', publishOf({ topic, type, payload }));
      expect(overProtobuf, type).toMatchObject({ kind: 'error', code: 'invalid_type' });
    }
    await refused(JSON.stringify({ topic, type: 'has space', data: 1 }), 'invalid_type');
    await refused(JSON.stringify({ topic, type: 'x'.repeat(65), data: 1 }), 'invalid_type');
    await unharmed();
  });

  it('as half a surrogate pair in a key or tag is refused, and no subscriber is harmed', async () => {
    await subscribed();
    for (const fields of ['"key":"\\ud800"', '"tags":{"a":"\\udc00"}', '"tags":{"\\ud800":"a"}']) {
      await refused(`{"topic":"${topic}","type":"e",${fields},"data":1}`, 'invalid_request');
    }
    // In data it is ASCII, and stays unchanged.
    const elsewhere = newTopic();
    await json.call({ type: 'subscribe', topic: elsewhere });
    await publish(elsewhere, '"\\ud800"');
    await json.count(elsewhere, 1);
    expect(jsonDataTexts(json, elsewhere)).toEqual(['"\\ud800"']);
    await unharmed();
  });
});
