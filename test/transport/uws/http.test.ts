import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { startGateway, TestGateway } from '../../support/gateway.ts';
import { JsonClient } from '../../support/json-client.ts';
import { opened } from '../../support/opened.ts';
import { publishRequest, RawSocket, upgradeRequest } from '../../support/raw-socket.ts';
import { gatewayOfTest } from '../../support/sdk.ts';
import { newFile } from '../../support/temporary.ts';
import { apiKey, signToken, tokenSecret } from '../../support/tokens.ts';

let gateway: TestGateway;

afterEach(async () => {
  vi.restoreAllMocks();
});

async function start(...options: Parameters<typeof startGateway>): Promise<void> {
  gateway = await gatewayOfTest(...options);
}

async function raw(localAddress?: string): Promise<RawSocket> {
  return opened(RawSocket.open(gateway.port, localAddress));
}

const series = (name: string) => gateway.metric(name, { 'x-api-key': apiKey });

const unreadBytes = () => series('sluice_http_held_bytes{what="response"}');
const bodyBytes = () => series('sluice_http_held_bytes{what="body"}');

const claims = { sub: 'alice', topics: [{ pattern: '*', allow: ['publish'] }] };
const token = () => signToken(claims, { expiresIn: '1h' });

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`;

const healthy = async () => (await fetch(`${gateway.url}/healthz`)).status;

describe('a client that sends requests ahead and reads none of the responses', () => {
  it.each([
    ['a large file', get('/dashboard.js')],
    // The kernel may take all of these: then the connection ends for being idle.
    ['a file that it has', get('/dashboard.js', 'If-None-Match: *\r\n')],
    ['heads of a file', get('/dashboard.js').replace('GET', 'HEAD')],
    ['methods', get('/healthz').replace('GET', 'OPTIONS')],
    ['a small answer', get('/healthz')],
    ['what is not there', get('/nothing')],
    ['a history', get('/api/topics/full/history?limit=1000')],
    ['metrics', get('/metrics')],
    ['the document', get('/openapi.json')],
    ['whether it may connect', get('/ws')],
    ['a connection that it may not have', upgradeRequest({ protocol: 'unknown' })],
  ])('is ended once its socket is full of %s', async (_, request) => {
    await start({ handshakesPerSecondPerIp: 1_000_000, httpRequestsPerSecondPerIp: 1_000_000 });
    for (let i = 0; i < 20; i++)
      await gateway.post('/api/publish', JSON.stringify({ topic: 'full', data: 'x'.repeat(50_000) }));
    const before = process.memoryUsage().rss;
    const socket = await raw();
    socket.socket.pause();
    await Promise.race([socket.send(request.repeat(40_000)), socket.end()]);
    expect(await healthy()).toBe(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
    // What the kernel has of it still comes, and then the end.
    socket.socket.resume();
    await socket.end();
    await expect.poll(unreadBytes).toBe(0);
  });

  it('is served where it reads', async () => {
    await start();
    const socket = await raw();
    socket.send(get('/healthz').repeat(200));
    await socket.until((text) => text.split('{"status":"ok"}').length === 201);
  });
});

describe('a client that reads slowly', () => {
  const large = '/api/topics/full/history?limit=1000';
  const messages = 18;

  async function startWithLargeTopic(more: Parameters<typeof startGateway>[0] = {}): Promise<void> {
    await start({ topicHistoryMaxBytes: '16MiB', ...more });
    const item = JSON.stringify({ topic: 'full', data: 'x'.repeat(60_000) });
    await gateway.post('/api/publish/batch', `[${Array(20).fill(item).join()}]`);
  }

  const histories = () => series('sluice_http_request_seconds_count{route="/api/topics/{topic}/history"}');

  /** One whose socket is full: a page of history waits for it. Resolves with how many it has asked for. */
  async function fullSocket(address?: string) {
    const before = await unreadBytes();
    const counted = await histories();
    const socket = await raw(address);
    socket.socket.pause();
    for (let asked = 1; ; asked++) {
      await socket.send(get(large));
      await expect.poll(histories).toBe(counted + asked);
      if ((await unreadBytes()) > before) return { socket, asked };
    }
  }

  it('gets all of a large response, which is charged until it is read', async () => {
    await startWithLargeTopic();
    const { socket, asked } = await fullSocket();
    expect(await unreadBytes()).toBeGreaterThan(1_000_000);
    socket.socket.resume();
    for (let i = 0, end = 0; i < asked; i++) {
      const answer = await socket.answer(end);
      expect((JSON.parse(answer.body) as { messages: unknown[] }).messages).toHaveLength(messages);
      end = answer.end;
    }
    await expect.poll(unreadBytes).toBe(0);
    socket.send(get('/healthz'));
    await socket.until((text) => text.endsWith('{"status":"ok"}'));
  });

  it('gives back what it was charged when it leaves', async () => {
    await startWithLargeTopic();
    const { socket } = await fullSocket();
    socket.kill();
    await expect.poll(unreadBytes).toBe(0);
  });

  it('is refused another one above its limit, and no other client is', async () => {
    await startWithLargeTopic({ bodyMaxBytes: '2MiB', requestsMaxBytesPerClient: '2MiB' });
    await fullSocket('127.0.0.2');
    const refused = await raw('127.0.0.2');
    await refused.send(get(large));
    expect((await refused.answer()).status).toBe(429);
    await fullSocket('127.0.0.3');
    expect(await unreadBytes()).toBeGreaterThan(2_000_000);
    expect(await healthy()).toBe(200);
  });

  it('is ended when it reads next to nothing', async () => {
    await startWithLargeTopic({ writeTimeoutSeconds: 1 });
    const { socket } = await fullSocket();
    // It takes what the kernel held: a sign of life, but it is not 16 KiB/s any more.
    vi.spyOn(performance, 'now').mockImplementation(() => Date.now() + 3_600_000);
    socket.socket.resume();
    await socket.end();
    await expect.poll(unreadBytes).toBe(0);
  });
});

describe('a body', () => {
  const post = (headers: string) =>
    `POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${headers}\r\n\r\n`;
  const MiB = 2 ** 20;

  it.each([
    ['a token that is none', () => 'Bearer a.b.c'],
    ['an unknown key', () => 'Bearer another-key-of-some-length'],
  ])('is not waited for with %s', async (_, authorization) => {
    await start({ apiKeys: apiKey, tokenSecret });
    const socket = await raw();
    await socket.send(post(`Authorization: ${authorization()}\r\nContent-Length: ${7 * MiB}`));
    await socket.send(Buffer.alloc(MiB, ' '));
    expect((await socket.answer()).status).toBe(401);
    expect(await bodyBytes()).toBe(0);
  });

  it('is not waited for with a token that may publish nowhere', async () => {
    await start({ apiKeys: apiKey, tokenSecret });
    const poorest = await signToken({ sub: 'bob', topics: [] });
    const socket = await raw();
    await socket.send(post(`Authorization: Bearer ${poorest}\r\nContent-Length: ${7 * MiB}`));
    expect((await socket.answer()).status).toBe(403);
  });

  it('is taken with a token that has to be verified first, in pieces', async () => {
    await start({ apiKeys: apiKey, tokenSecret });
    const body = JSON.stringify({ topic: 'pieces', data: 'x'.repeat(60_000) });
    const padded = body.replace('{', `{${' '.repeat(3 * MiB)}`);
    const socket = await raw();
    await socket.send(
      `${post(`Authorization: Bearer ${await token()}\r\nContent-Length: ${padded.length}`)}${padded}`,
    );
    expect((await socket.answer()).status).toBe(200);
    expect(await bodyBytes()).toBe(0);
  });

  it('is charged while it comes, and free again when its client leaves', async () => {
    await start();
    const socket = await raw();
    await socket.send(post(`Content-Length: ${7 * MiB}`));
    await socket.send(Buffer.alloc(MiB, ' '));
    await expect.poll(bodyBytes).toBe(MiB);
    socket.kill();
    await expect.poll(bodyBytes).toBe(0);
  });

  it('is refused above what all bodies of its client may have together, and no other client’s is', async () => {
    await start({ bodyMaxBytes: '2MiB', requestsMaxBytesPerClient: '2MiB' });
    const half = Buffer.alloc(MiB, ' ');
    const open = async (address: string) => {
      const socket = await raw(address);
      await socket.send(post(`Content-Length: ${2 * MiB}`));
      await socket.send(half);
      return socket;
    };
    const [first, second] = [await open('127.0.0.1'), await open('127.0.0.1')];
    await expect.poll(bodyBytes).toBe(2 * MiB);
    const third = await open('127.0.0.1');
    expect(await third.answer()).toMatchObject({ status: 429 });
    const other = await open('127.0.0.2');
    await expect.poll(bodyBytes).toBe(3 * MiB);
    first?.kill();
    second?.kill();
    other.kill();
    await expect.poll(bodyBytes).toBe(0);
    expect((await gateway.post('/api/publish', '{"topic":"a","data":1}')).status).toBe(200);
  });

  it.each([
    [990, 'HTTP/1.1 200'],
    [1020, ''],
  ])(
    'of %i chunks of a byte has the answer %j, and the connection of more is ended',
    async (count, answer) => {
      await start();
      const socket = await raw();
      const body = '{"topic":"chunks","data":1}';
      await socket.send(post('Transfer-Encoding: chunked'));
      await socket.send(`${body.length.toString(16)}\r\n${body}\r\n`);
      // In turns of the loop that are not long, however slow the machine is: these have fewer chunks.
      for (let left = count; left > 0; left -= 110) {
        await bodyBytes();
        await socket.send('1\r\n \r\n'.repeat(Math.min(left, 110)));
      }
      await socket.send('0\r\n\r\n');
      await (answer === '' ? socket.end() : socket.answer());
      expect(socket.text.slice(0, 12)).toBe(answer);
      expect(await gateway.metric('sluice_connections_rejected_total')).toBe(answer === '' ? 1 : 0);
      expect(await bodyBytes()).toBe(0);
      expect((await gateway.post('/api/publish', body)).status).toBe(200);
    },
  );

  it('is refused above what all clients may have together', async () => {
    await start({ bodyMaxBytes: '1MiB', requestsMaxBytesPerClient: '1MiB', requestsMaxBytes: '1MiB' });
    const first = await raw('127.0.0.2');
    await first.send(post(`Content-Length: ${MiB}`));
    await first.send(Buffer.alloc(MiB - 100_000, ' '));
    await expect.poll(bodyBytes).toBe(MiB - 100_000);
    const second = await raw('127.0.0.3');
    await second.send(post(`Content-Length: ${MiB}`));
    await second.send(Buffer.alloc(200_000, ' '));
    expect(await second.answer()).toMatchObject({ status: 429 });
  });
});

describe('a client that leaves', () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);

  /** Does it while a promise is kept open, and finds the gateway as it was. */
  async function leaves(request: string, open: () => void, opened: () => Promise<unknown>): Promise<void> {
    unhandled.length = 0;
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    const socket = await raw();
    await socket.send(request);
    await opened();
    socket.kill();
    await expect.poll(() => series('sluice_http_connections')).toBeLessThanOrEqual(1);
    open();
    expect(await healthy()).toBe(200);
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  }

  /** `verify` of WebCrypto does not answer until it is told to. */
  function slowVerify() {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { verify } = crypto.subtle;
    const spy = vi.spyOn(crypto.subtle, 'verify').mockImplementation(async (...args) => {
      await released;
      return Reflect.apply(verify, crypto.subtle, args) as Promise<boolean>;
    });
    return { release, called: () => expect.poll(() => spy.mock.calls.length).toBeGreaterThan(0) };
  }

  it.each([
    ['upgrade', () => upgradeRequest({ path: '/ws?token=TOKEN' })],
    ['question whether it may connect', () => get('/ws?token=TOKEN')],
    [
      'publish',
      () =>
        publishRequest('{"topic":"left","data":1}').replace('Host', 'Authorization: Bearer TOKEN\r\nHost'),
    ],
  ])('while the token of its %s is verified does no harm', async (_, request) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const tokenKeysFile = newFile('key.pem', await exportSPKI(publicKey));
    await start({ apiKeys: apiKey, tokenKeysFile });
    // Unlike one of the secret it is verified in a later turn.
    const signed = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
    const { release, called } = slowVerify();
    await leaves(request().replace('TOKEN', signed), release, called);
  });

  it('while the engine commits its publish does no harm', async () => {
    await start();
    let release = () => {};
    const publish = gateway.broker.publish.bind(gateway.broker);
    const spy = vi.spyOn(gateway.broker, 'publish').mockImplementation(async (fields) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return publish(fields);
    });
    await leaves(
      publishRequest('{"topic":"left","data":1}'),
      () => release(),
      () => expect.poll(() => spy.mock.calls.length).toBe(1),
    );
  });

  it('leaves nothing of its HTTP connection', async () => {
    await start({ handshakesPerSecondPerIp: 1000 });
    for (let i = 0; i < 20; i++) {
      const client = await JsonClient.open(gateway.wsUrl);
      await client.close();
    }
    await expect.poll(() => gateway.metric('sluice_connections')).toBe(0);
    // Those of this test's own `fetch`.
    const left = await series('sluice_http_connections');
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(5);
  });
});

describe('connections', () => {
  it('above the limit are closed at once, and counted', async () => {
    await start({ httpConnectionsMax: 3 });
    expect(await healthy()).toBe(200);
    const held = [await raw(), await raw()];
    const refused = await raw();
    await refused.end();
    expect(refused.text).toBe('');
    held[0]?.kill();
    await expect.poll(() => series('sluice_http_connections')).toBe(2);
    const next = await raw();
    await next.send(get('/healthz'));
    expect((await next.answer()).status).toBe(200);
    expect(await series('sluice_connections_rejected_total{reason="too_many_connections"}')).toBe(1);
  });

  it('are kept after a response while half of them are free, and end with it while fewer are', async () => {
    await start({ httpConnectionsMax: 4 });
    const [first, second] = [await raw(), await raw()];
    const ask = async (socket: RawSocket, from = 0) => {
      await socket.send(get('/healthz'));
      return socket.answer(from);
    };
    await ask(first);
    const { end } = await ask(second);
    expect((await ask(second, end)).headers.get('connection')).toBeUndefined();
    const third = await raw();
    expect((await ask(third)).headers.get('connection')).toBe('close');
    await third.end();
    await ask(first, end);
  });

  it('of one address that come too fast are closed, and those of others are not', async () => {
    await start({ httpConnectionsPerSecondPerIp: 2, handshakesPerSecondPerIp: 1 });
    // So many that those which a slow machine takes seconds to open, and which are let in meanwhile, are the fewest.
    const sockets = await Promise.all(Array.from({ length: 60 }, () => raw('127.0.0.2')));
    for (const socket of sockets) await socket.send(get('/healthz'));
    await expect.poll(() => sockets.filter(({ ended }) => ended).length).toBeGreaterThanOrEqual(14);
    const served = () => sockets.filter(({ text }) => text.includes('200 OK')).length;
    await expect.poll(served).toBeGreaterThanOrEqual(2);
    expect(await healthy()).toBe(200);
    expect(await series('sluice_rate_limited_total{scope="connection"}')).toBeGreaterThanOrEqual(14);
  });
});

describe('requests', () => {
  it('of an address are refused above its rate, and those with a key are not', async () => {
    await start({ apiKeys: apiKey, httpRequestsPerSecondPerIp: 5 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${gateway.url}/openapi.json`)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(14);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(5);
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    const publishes = Array.from({ length: 50 }, () =>
      gateway.post('/api/publish', '{"topic":"a","data":1}', { 'x-api-key': apiKey }),
    );
    for (const { status } of await Promise.all(publishes)) expect(status).toBe(200);
    // What watches the gateway may share the address: behind a proxy that is not named, everything does.
    for (const probe of ['/healthz', '/readyz']) expect((await fetch(gateway.url + probe)).status).toBe(200);
    expect(await series('sluice_rate_limited_total{scope="http"}')).toBe(refused.length);
  });

  it('for WebSocket paths are refused above the rate, too: each may have a credential to verify', async () => {
    await start({ tokenSecret, httpRequestsPerSecondPerIp: 1 });
    const headers = { authorization: 'Bearer x.y.z' };
    const ask = () => fetch(`${gateway.url}/ws`, { headers });
    const statuses = (await Promise.all(Array.from({ length: 60 }, ask))).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
  });

  it('of a user are refused above their own rate, wherever they come from', async () => {
    await start({ apiKeys: apiKey, tokenSecret, httpRequestsPerSecondPerUser: 5 });
    const authorization = `Bearer ${await token()}`;
    const ask = () => gateway.post('/api/publish', '{"topic":"a","data":1}', { authorization });
    expect((await ask()).status).toBe(200);
    const statuses = (await Promise.all(Array.from({ length: 20 }, ask))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(14);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(4);
    expect(await healthy()).toBe(200);
  });
});
