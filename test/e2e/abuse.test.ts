import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { publishOf } from '../../src/protocol/publication.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { protobufCodec } from '../support/codecs.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { clientFrame, RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { Witness } from '../support/witness.ts';

const frameMaxBytes = 8192;
const payloadMaxBytes = 4096;
const bodyMaxBytes = 16_384;

const nothing = new Uint8Array(0);
let gateway: TestGateway;
let witness: Witness;

beforeAll(async () => {
  gateway = await startGateway({
    frameMaxBytes,
    payloadMaxBytes,
    bodyMaxBytes,
    handshakesPerSecondPerIp: 1000,
    commandsPerSecond: 400,
  });
  witness = await Witness.open(gateway);
});

/** After whatever was done, the gateway serves as before. */
afterEach(async () => {
  await witness.missedNothing();
});

afterAll(async () => {
  await witness.close();
  await gateway.close();
});

function jsonClient(): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl));
}

function protobufClient(): Promise<ProtobufClient> {
  return opened(ProtobufClient.open(gateway.wsUrl));
}

function rawSocket(): Promise<RawSocket> {
  return opened(RawSocket.open(gateway.port));
}

function rawWebSocket(protocol?: string): Promise<RawSocket> {
  return opened(RawSocket.webSocket(gateway.port, protocol));
}

/** Sends a message as it is, and resolves with the error that it is answered by. */
async function jsonError(client: JsonClient, message: string | Buffer, binary = false): Promise<Frame> {
  const before = client.frames.length;
  client.socket.send(message, { binary });
  return client.until((frame) => frame.type === 'error' && client.frames.indexOf(frame) >= before);
}

async function protobufError(client: ProtobufClient, message: Uint8Array | string): Promise<ServerFrame> {
  const before = client.frames.length;
  client.socket.send(message);
  return client.until((frame) => frame.kind === 'error' && client.frames.indexOf(frame) >= before);
}

describe('a message that is not a frame', () => {
  it('in JSON gets its error, with the id where that could be read, and the session goes on', async () => {
    const client = await jsonClient();
    const table: [string, string, number | undefined][] = [
      ['', 'invalid_json', undefined],
      ['{"type":"ping","id":1', 'invalid_json', undefined],
      ['{"type":"ping","id":1}}', 'invalid_json', undefined],
      ['{"type":"ping","id":1,"id":2}', 'invalid_json', undefined],
      ['{"type":"publish","id":1,"data":{"a":{"b":1,"b":2}}}', 'invalid_json', undefined],
      ['[]', 'invalid_frame', undefined],
      ['"ping"', 'invalid_frame', undefined],
      ['null', 'invalid_frame', undefined],
      ['{}', 'invalid_frame', undefined],
      ['{"id":3}', 'invalid_frame', 3],
      ['{"type":7,"id":3}', 'invalid_frame', 3],
      ['{"type":"dance","id":4}', 'unknown_command', 4],
      ['{"type":"constructor","id":4}', 'unknown_command', 4],
      ['{"type":"__proto__","id":4}', 'unknown_command', 4],
      ['{"type":"batch","id":4}', 'unknown_command', 4],
      ['{"type":"ping","id":-1}', 'invalid_request', undefined],
      ['{"type":"ping","id":1.5}', 'invalid_request', undefined],
      ['{"type":"ping","id":4294967296}', 'invalid_request', undefined],
      ['{"type":"ping","id":"1"}', 'invalid_request', undefined],
      ['{"type":"subscribe","id":5}', 'invalid_request', 5],
      ['{"type":"subscribe","id":5,"subscriptions":[]}', 'invalid_request', 5],
      ['{"type":"subscribe","id":5,"subscriptions":[7]}', 'invalid_request', 5],
      ['{"type":"subscribe","id":5,"topic":{}}', 'invalid_request', 5],
      ['{"type":"publish","id":6,"topic":"t"}', 'invalid_request', 6],
      ['{"type":"unsubscribe","id":7}', 'invalid_request', 7],
      ['{"type":"history","id":8,"topic":"t","after":-1}', 'invalid_request', 8],
      [`{"type":"ping","id":9,"deep":${'['.repeat(3000)}${']'.repeat(3000)}}`, 'invalid_json', 9],
    ];
    for (const [message, code, id] of table) {
      expect(await jsonError(client, message), message.slice(0, 80)).toMatchObject({ code, retry: false });
      expect(client.frames.at(-1)?.['id'], message.slice(0, 80)).toBe(id);
    }
    expect((await client.call({ type: 'ping' })).type).toBe('pong');
  });

  it('in protobuf gets its error, with the id where that could be read, and the session goes on', async () => {
    const client = await protobufClient();
    const whole = protobufCodec.encodeClientFrame({
      kind: 'subscribe',
      id: 300,
      subscriptions: [{ topic: 'a-topic' }],
    });
    for (let cut = 4; cut < whole.length; cut++) {
      const error = await protobufError(client, whole.slice(0, cut));
      expect(error, `cut at ${cut}`).toMatchObject({ kind: 'error', id: 300, code: 'invalid_frame' });
    }
    const unset = Uint8Array.of(8, 7);
    const unknownCommand = Uint8Array.of(8, 9, 15 * 8 + 2, 0);
    expect(await protobufError(client, unset)).toMatchObject({ id: 7, code: 'unknown_command' });
    expect(await protobufError(client, unknownCommand)).toMatchObject({ id: 9, code: 'unknown_command' });
    expect(await protobufError(client, new Uint8Array(0))).toMatchObject({ id: 0, code: 'unknown_command' });
    expect((await client.call('ping', {})).kind).toBe('pong');
  });

  it('of random bytes gets one frame as its reply, and never a fault of the gateway', async () => {
    const client = await protobufClient();
    const messages = fc.sample(fc.uint8Array({ maxLength: 60 }), 150);
    const before = client.frames.length;
    for (const message of messages) client.socket.send(message);
    const last = await client.call('ping', {});
    const answers = client.frames.slice(before, client.frames.indexOf(last));
    expect(answers).toHaveLength(messages.length);
    const codes = answers.map((answer) => (answer.kind === 'error' ? answer.code : answer.kind));
    expect(codes.filter((code) => code === 'internal')).toEqual([]);
    expect(new Set(codes)).toContain('invalid_frame');
  });

  it('of the other kind of message than the codec’s is refused, and the session goes on', async () => {
    const json = await jsonClient();
    expect(await jsonError(json, Buffer.from('{"type":"ping","id":1}'), true)).toMatchObject({
      code: 'invalid_frame',
    });
    expect((await json.call({ type: 'ping' })).type).toBe('pong');
    const protobuf = await protobufClient();
    expect(await protobufError(protobuf, 'text')).toMatchObject({ code: 'invalid_frame' });
    expect((await protobuf.call('ping', {})).kind).toBe('pong');
  });

  it('of text that is not UTF-8 ends the connection, as WebSocket demands', async () => {
    const client = await jsonClient();
    client.socket.send(Buffer.from([0x7b, 0xff, 0x7d]), { binary: false });
    expect((await client.end()).code).toBe(1006);
  });

  it('of the wire protocol itself ends the connection', async () => {
    const ping = Buffer.from('{"type":"ping","id":1}');
    const malformed = {
      compressed: clientFrame(1, ping, { reserved: 4 }),
      reservedBits: clientFrame(1, ping, { reserved: 3 }),
      reservedOpcode: clientFrame(3, ping),
      strayContinuation: clientFrame(0, ping),
      largeControlFrame: clientFrame(9, Buffer.alloc(200)),
      fragmentedControlFrame: clientFrame(9, ping, { fin: false }),
      textInsideText: Buffer.concat([clientFrame(1, ping, { fin: false }), clientFrame(1, ping)]),
      shortClose: clientFrame(8, Buffer.of(3)),
    };
    for (const [name, bytes] of Object.entries(malformed)) {
      const socket = await rawWebSocket();
      await socket.send(bytes);
      await socket.end();
      expect(socket.text, name).not.toContain('pong');
    }
  });
});

describe('a message that is too large', () => {
  const padded = (bytes: number) => {
    const start = '{"type":"ping","id":1,"pad":"';
    return `${start}${'x'.repeat(bytes - start.length - 2)}"}`;
  };

  it('is taken at the limit and refused above it, and the session goes on', async () => {
    const client = await jsonClient();
    client.socket.send(padded(frameMaxBytes));
    await client.until((frame) => frame.type === 'pong');
    expect(await jsonError(client, padded(frameMaxBytes + 1))).toMatchObject({ code: 'frame_too_large' });
    expect((await client.call({ type: 'ping' })).type).toBe('pong');
    const protobuf = await protobufClient();
    expect(await protobufError(protobuf, new Uint8Array(frameMaxBytes + 1))).toMatchObject({
      id: 0,
      code: 'frame_too_large',
    });
    expect((await protobuf.call('ping', {})).kind).toBe('pong');
  });

  it('ends the connection when it is far above, as soon as its header says so', async () => {
    const client = await jsonClient();
    client.socket.send(padded(2 * frameMaxBytes + 1));
    expect((await client.end()).code).toBe(1006);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toContain('sluice_connections_closed_total{reason="frame_too_large"} 1\n');
    const announced = await rawWebSocket();
    const huge = clientFrame(1, Buffer.alloc(0));
    huge[1] = 0x80 | 127;
    await announced.send(Buffer.concat([huge.subarray(0, 2), Buffer.from('7fffffffffffffff', 'hex')]));
    await announced.send(Buffer.alloc(64));
    await announced.end();
    expect(announced.ended).toBe(true);
  });

  it('in fragments ends the connection too, however small each is', async () => {
    const socket = await rawWebSocket();
    const fragment = Buffer.alloc(frameMaxBytes, 'x');
    await socket.send(clientFrame(1, fragment, { fin: false }));
    for (let i = 0; i < 2; i++) await socket.send(clientFrame(0, fragment, { fin: false }));
    await socket.end();
    expect(socket.ended).toBe(true);
  });
});

describe('a payload', () => {
  const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`;

  it('is taken at the limit and refused above it, through every door', async () => {
    const json = await jsonClient();
    const publish = (bytes: number) =>
      json.call({ type: 'publish', topic: 'sized', event: 'e', data: 'x'.repeat(bytes - 2) });
    expect((await publish(payloadMaxBytes)).type).toBe('published');
    expect(await publish(payloadMaxBytes + 1)).toMatchObject({ type: 'error', code: 'payload_too_large' });

    const protobuf = await protobufClient();
    for (const format of ['json', 'binary'] as const) {
      const call = (bytes: number) =>
        protobuf.call(
          'publish',
          publishOf({ topic: 'sized', type: 'e', payload: { format, bytes: Buffer.from(text(bytes)) } }),
        );
      expect((await call(payloadMaxBytes)).kind).toBe('published');
      expect(await call(payloadMaxBytes + 1)).toMatchObject({ kind: 'error', code: 'payload_too_large' });
    }

    const post = (bytes: number) =>
      gateway.post('/api/publish', `{"topic":"sized","type":"e","data":${text(bytes)}}`);
    expect((await post(payloadMaxBytes)).status).toBe(200);
    const refused = await post(payloadMaxBytes + 1);
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ error: { code: 'payload_too_large' } });
    const { offset } = (await (await fetch(`${gateway.url}/api/topics/sized`)).json()) as { offset: number };
    expect(offset).toBe(4);
  });
});

describe('a handshake', () => {
  it('that offers only unknown subprotocols is refused with 400 and JSON', async () => {
    const socket = await rawSocket();
    await socket.send(upgradeRequest({ protocol: 'mqtt, graphql-ws' }));
    const answer = await socket.answer();
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'unknown_subprotocol' } });
  });

  it('that offers a known one among unknown ones gets that', async () => {
    const socket = await rawSocket();
    await socket.send(upgradeRequest({ protocol: 'mqtt, sluice.v1.json, sluice.v1.protobuf' }));
    const head = await socket.until((text) => text.includes('\r\n\r\n'));
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head.toLowerCase()).toContain('sec-websocket-protocol: sluice.v1.json\r\n');
  });

  it('that is none is told that the route speaks WebSocket', async () => {
    const answer = await fetch(`${gateway.url}/ws`);
    expect(answer.status).toBe(426);
    expect(answer.headers.get('upgrade')).toBe('websocket');
    expect(await answer.json()).toMatchObject({ error: { code: 'upgrade_required' } });
  });

  it.each([
    ['an old version', ['Version: 13', 'Version: 8'], 426, 'Sec-WebSocket-Version must be 13'],
    ['a version to come', ['Version: 13', 'Version: 14'], 426, 'Sec-WebSocket-Version must be 13'],
    ['no version', [/Sec-WebSocket-Version.*\r\n/, ''], 426, 'Sec-WebSocket-Version must be 13'],
    ['no key', [/Sec-WebSocket-Key.*\r\n/, ''], 400, 'Sec-WebSocket-Key must be 16 bytes in base64'],
    ['a short key', [/Key: .*/, 'Key: abc'], 400, 'Sec-WebSocket-Key must be 16 bytes in base64'],
    ['a key that is no base64', [/Key: .*/, `Key: ${'!'.repeat(24)}`], 400, 'Sec-WebSocket-Key must be'],
    ['another protocol', ['Upgrade: websocket', 'Upgrade: h2c'], 426, 'the header Upgrade does not say'],
    ['another method', ['GET', 'POST'], 405, 'this route allows GET, HEAD'],
    ['a method in lower case', ['GET', 'get'], 405, 'this route allows GET, HEAD'],
  ] as const)('with %s is told what is wrong with it', async (_, [part, other], status, message) => {
    const socket = await rawSocket();
    await socket.send(upgradeRequest().replace(part, other));
    const answer = await socket.answer();
    expect(answer.status).toBe(status);
    expect(answer.body).toContain(message);
    expect(answer.headers.get('sec-websocket-version')).toBe(status === 426 ? '13' : undefined);
  });

  it('of HTTP/1.0 is refused by the library', async () => {
    const socket = await rawSocket();
    await socket.send(upgradeRequest().replace('HTTP/1.1', 'HTTP/1.0'));
    expect(await socket.until((text) => text.includes('\r\n\r\n'))).toMatch(/^HTTP\/1\.1 505 /);
  });
});

describe('a connection that is killed', () => {
  it('in the middle of its handshake takes no place', async () => {
    const whole = upgradeRequest();
    for (const part of [1, 10, whole.length >> 1, whole.length - 1]) {
      const socket = await rawSocket();
      await socket.send(whole.slice(0, part));
      socket.kill();
    }
    const atOnce = await rawSocket();
    await atOnce.send(whole);
    atOnce.kill();
    await witness.missedNothing();
    await expect.poll(() => gateway.metric('sluice_connections')).toBe(1);
  });

  it('in the middle of a frame gives its place back', async () => {
    const ping = clientFrame(1, Buffer.from('{"type":"ping","id":1}'));
    for (const part of [1, 5, ping.length - 1]) {
      const socket = await rawWebSocket();
      await socket.send(ping.subarray(0, part));
      socket.kill();
    }
    const fragmented = await rawWebSocket();
    await fragmented.send(clientFrame(1, Buffer.from('{"type":"ping"'), { fin: false }));
    fragmented.kill();
    await expect.poll(() => gateway.metric('sluice_connections')).toBe(1);
  });

  it('right after its commands leaves no subscription', async () => {
    const views = await gateway.metric('sluice_views');
    for (let i = 0; i < 10; i++) {
      const socket = await rawWebSocket();
      for (const command of ['subscribe', 'history', 'status'])
        void socket.send(clientFrame(1, Buffer.from(`{"type":"${command}","id":1,"topic":"left"}`)));
      await socket.send(clientFrame(1, Buffer.from('{"type":"ping","id":2}')));
      socket.kill();
    }
    await expect.poll(() => gateway.metric('sluice_connections')).toBe(1);
    expect(await gateway.metric('sluice_views')).toBe(views);
    const left = (await (await fetch(`${gateway.url}/api/topics/left`)).json()) as { subscribers: number };
    expect(left.subscribers).toBe(0);
  });

  it('in the middle of an HTTP body publishes nothing', async () => {
    const body = '{"topic":"half","type":"e","data":1}';
    for (const part of [0, 1, body.length - 1]) {
      const socket = await rawSocket();
      await socket.send(`${postHead(`content-length: ${body.length}`)}${body.slice(0, part)}`);
      socket.kill();
    }
    await witness.missedNothing();
    const half = (await (await fetch(`${gateway.url}/api/topics/half`)).json()) as { offset: number };
    expect(half.offset).toBe(0);
  });

  it('before its response does no harm', async () => {
    for (let i = 0; i < 20; i++) {
      const socket = await rawSocket();
      await socket.send(`${postHead('content-length: 33')}{"topic":"gone","type":"e","data":`.slice(0, -1));
      await socket.send('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(3));
      socket.kill();
    }
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });
});

function postHead(length: string): string {
  return `POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${length}\r\n\r\n`;
}

describe('an HTTP body', () => {
  const body = (bytes: number) => {
    const start = '{"topic":"body","type":"e","data":1';
    return `${start}${' '.repeat(bytes - start.length - 1)}}`;
  };

  it('is taken at the limit and refused above it, by its content-length', async () => {
    expect((await gateway.post('/api/publish', body(bodyMaxBytes))).status).toBe(200);
    const socket = await rawSocket();
    // Not a byte of the body is sent: the head alone decides.
    await socket.send(postHead(`content-length: ${bodyMaxBytes + 1}`));
    const answer = await socket.answer();
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'frame_too_large' } });
  });

  it('is refused above the limit in chunks too, before it has ended', async () => {
    const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${' '.repeat(bytes)}\r\n`;
    const socket = await rawSocket();
    await socket.send(postHead('transfer-encoding: chunked'));
    await socket.send(chunk(bodyMaxBytes));
    await socket.send(chunk(1));
    const answer = await socket.answer();
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'frame_too_large' } });
  });

  it('in chunks below the limit is taken, however it is cut', async () => {
    const text = '{"topic":"chunked","type":"e","data":"ü"}';
    const socket = await rawSocket();
    await socket.send(postHead('transfer-encoding: chunked'));
    for (const byte of Buffer.from(text))
      await socket.send(Buffer.concat([Buffer.from('1\r\n'), Buffer.of(byte), Buffer.from('\r\n')]));
    await socket.send('0\r\n\r\n');
    expect(await socket.answer()).toMatchObject({ status: 200 });
  });

  it('that never comes, or too slowly to be meant, is given up', async () => {
    const [silent, slow] = [await rawSocket(), await rawSocket()];
    await silent.send(`${postHead('content-length: 100')}{`);
    await slow.send(postHead(`content-length: ${bodyMaxBytes}`));
    const drip = setInterval(() => void slow.send(' '), 500);
    await Promise.all([silent.end(), slow.end()]);
    clearInterval(drip);
    expect(silent.text).toBe('');
    expect(slow.text).toBe('');
  });

  it('of a broken chunk, or of two lengths, ends the connection', async () => {
    const broken = [
      `${postHead('transfer-encoding: chunked')}zz\r\n`,
      'POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n',
      'NONSENSE\r\n\r\n',
    ];
    const told = broken.map(async (bytes) => {
      const socket = await rawSocket();
      await socket.send(bytes);
      await socket.end();
      return socket.text;
    });
    for (const text of await Promise.all(told)) expect(text).not.toContain('200 OK');
  });
});

describe('commands', () => {
  it('in a flood are refused with the time to wait, and served again after it', async () => {
    const slow = await startGateway({ commandsPerSecond: 20 });
    const other = await Witness.open(slow);
    const client = await JsonClient.open(slow.wsUrl);
    try {
      for (let id = 1; id <= 200; id++) client.socket.send(`{"type":"ping","id":${id}}`);
      await client.until((frame) => frame['id'] === 200);
      const answers = client.frames.filter((frame) => typeof frame['id'] === 'number');
      expect(answers).toHaveLength(200);
      const pongs = answers.filter(({ type }) => type === 'pong');
      // How many of the 20 depends on what they took: commands are charged by time, too.
      expect(pongs.length).toBeGreaterThan(0);
      expect(pongs.length).toBeLessThan(200);
      const refused = answers.filter(({ type }) => type === 'error');
      for (const frame of refused) {
        expect(frame).toMatchObject({ code: 'rate_limited', retry: true });
        expect(frame['retryAfterMs']).toBeGreaterThan(0);
        expect(frame['retryAfterMs']).toBeLessThanOrEqual(1000);
      }
      expect(refused.length + pongs.length).toBe(200);
      expect(await slow.metric('sluice_rate_limited_total')).toBe(refused.length);
      await other.missedNothing();
      await expect.poll(async () => (await client.call({ type: 'ping' })).type).toBe('pong');
    } finally {
      await Promise.all([client.close(), other.close()]);
      await slow.close();
    }
  });

  it('that came while the event loop was held up are served: their client may have kept to its rate', async () => {
    // One command may take long on a busy machine: this rate has time for that.
    const slow = await startGateway({ commandsPerSecond: 200 });
    const client = await JsonClient.open(slow.wsUrl);
    try {
      const held = new Int32Array(new SharedArrayBuffer(4));
      for (let id = 1; id <= 600; id++) client.socket.send(`{"type":"ping","id":${id}}`);
      // Of this thread, which is that of the gateway.
      Atomics.wait(held, 0, 0, 2500);
      await client.until((frame) => frame['id'] === 600);
      expect(client.frames.filter(({ type }) => type === 'pong')).toHaveLength(600);
    } finally {
      await client.close();
      await slow.close();
    }
  });

  it('over the rate are refused by their id without being read, and a client that goes on is ended', async () => {
    const slow = await startGateway({ commandsPerSecond: 5 });
    const other = await Witness.open(slow);
    try {
      const client = await JsonClient.open(slow.wsUrl);
      for (let id = 1; id <= 100; id++) client.socket.send(`{"type":"ping","id":${id}}`);
      // One of them may come just when one more is permitted.
      for (let id = 101; id <= 105; id++) client.socket.send(`{"type":"publish","id":${id},"data":`);
      await client.until(({ id, code }) => Number(id) > 100 && code === 'rate_limited');
      for (let id = 106; id <= 2000; id++) client.socket.send(`{"type":"ping","id":${id}}`);
      expect(await client.end()).toMatchObject({ code: 4004 });
      await other.missedNothing();
    } finally {
      await other.close();
      await slow.close();
    }
  });

  it.each([
    [180, 10, '"pong"'],
    [5000, 10, ''],
    [180, 9, '"pong"'],
    [5000, 9, ''],
  ])(
    'are few beside %i pongs and pings that no one asked for (%i): a command after them has the answer %j',
    async (count, opcode, type) => {
      const socket = await RawSocket.webSocket(gateway.port);
      const { length } = socket.text;
      await socket.send(Buffer.concat(Array.from({ length: count }, () => clientFrame(opcode, nothing))));
      await socket.send(clientFrame(1, Buffer.from('{"type":"ping","id":9}')));
      if (type === '') await socket.end();
      else await socket.until((text) => text.slice(length).includes(type));
      expect(socket.text.slice(length)).not.toContain(type === '' ? '"pong"' : 'error');
      socket.kill();
    },
  );
});
