import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { fetchOwn } from '../../src/cli/own-fetch.ts';
import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { lastingPort } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { newFolder } from '../support/temporary.ts';
import { apiKey } from '../support/tokens.ts';

const folder = newFolder();
const lines: Record<string, unknown>[] = [];
const proxies: ProxyProcess[] = [];
const ports = { nginx: 0, secure: 0, old: 0, plain: 0 };
let server: RunningServer;
/** Called with each line of the log, in the turn of the request that it is about. */
let whileLogging = (): void => undefined;

beforeAll(async () => {
  const { cert, key } = makeCertificate(folder, 'proxy');
  const unixSocket = join(folder, 'gateway.sock');
  const config = loadConfig({
    flags: {
      port: 0,
      canary: false,
      shutdownGraceSeconds: 1,
      apiKeys: [apiKey],
      anonymous: true,
      unixSocket,
      trustedProxies: ['127.0.0.1'],
      proxyPort: 0,
    },
  });
  server = await startServer(config, {
    log: createLog(config, {
      write: (line) => {
        lines.push(JSON.parse(line));
        whileLogging();
      },
    }),
  });
  for (const name of Object.keys(ports)) ports[name as keyof typeof ports] = await lastingPort();
  const pem = join(folder, 'both.pem');
  writeFileSync(pem, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
  const backend = (name: string, how: string) =>
    `backend ${name}\n  server gateway 127.0.0.1:${server.proxyPort} ${how}`;
  const haproxy = [
    `frontend secure\n  bind 127.0.0.1:${ports.secure} ssl crt ${pem}\n  default_backend second`,
    `frontend old\n  bind 127.0.0.1:${ports.old}\n  default_backend first`,
    // Its header goes out before the client has sent anything.
    `listen plain\n  mode tcp\n  bind 127.0.0.1:${ports.plain}\n  server gateway 127.0.0.1:${server.proxyPort} send-proxy-v2`,
    backend('second', 'send-proxy-v2-ssl proxy-v2-options crc32c,unique-id'),
    backend('first', 'send-proxy'),
  ];
  // It writes a Host of its own, as many do.
  const nginx = `
    server { listen 127.0.0.1:${ports.nginx} ssl; ssl_certificate ${cert}; ssl_certificate_key ${key};
      location / { proxy_pass http://unix:${unixSocket}; proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        proxy_set_header Host gateway.internal; proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } }`;
  const started = [
    ProxyProcess.nginx(folder, nginx, [ports.nginx]),
    ProxyProcess.haproxy(folder, haproxy.join('\n'), [ports.secure, ports.old, ports.plain]),
  ];
  proxies.push(...(await Promise.all(started)));
});

afterAll(async () => {
  await Promise.all(proxies.map((each) => each.end()));
  await server?.close();
});

const trusting = { rejectUnauthorized: false };
const asJson = { 'content-type': 'application/json', 'x-api-key': apiKey };

/** The status with which a WebSocket is refused; 101: it opens. */
function upgradeStatus(port: number, origin: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, { ...trusting, origin });
    socket.once('open', () => {
      resolve(101);
      socket.terminate();
    });
    socket.once('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.on('error', () => undefined);
  });
}

/** Publishes through the proxy to a client of this address. Returns the address by which the gateway knows it. */
async function deliver(port: number, localAddress: string): Promise<string> {
  const url = `https://127.0.0.1:${port}`;
  const client = await JsonClient.open(`wss://127.0.0.1:${port}/ws`, [], { ...trusting, localAddress });
  const topic = `to-${localAddress}`;
  await client.call({ type: 'subscribe', topic });
  const body = JSON.stringify({ topic, data: 1 });
  expect((await fetchOwn(`${url}/api/publish`, { method: 'POST', headers: asJson, body })).status).toBe(200);
  expect(await client.count(topic, 1)).toHaveLength(1);
  const listed = await fetchOwn(`${url}/api/connections`, { headers: asJson });
  const { connections } = (await listed.json()) as { connections: { address: string }[] };
  await client.close();
  return connections.map(({ address }) => address).join();
}

describe('behind nginx, which ends TLS and speaks over the unix socket', () => {
  test('a client counts by its own address', async () => {
    expect(await deliver(ports.nginx, '127.0.0.5')).toBe('127.0.0.5');
  });

  test('its own pages are the gateway’s, by the forwarded host and scheme; others are refused and logged', async () => {
    const host = `127.0.0.1:${ports.nginx}`;
    expect(await upgradeStatus(ports.nginx, `https://${host}`)).toBe(101);
    const others = [`http://${host}`, 'https://evil.example', 'https://gateway.internal', 'null'];
    for (const origin of others)
      expect([origin, await upgradeStatus(ports.nginx, origin)]).toEqual([origin, 403]);
    const logged = lines.filter(({ code }) => code === 'origin_not_allowed');
    expect(logged.map((line) => [line['origin'], line['host']])).toEqual(
      others.map((origin) => [origin, host]),
    );
  });
});

describe('behind HAProxy, which sends the PROXY protocol to its port', () => {
  test('of version 2, with what it knows of TLS, a client counts by its own address', async () => {
    expect(await deliver(ports.secure, '127.0.0.6')).toBe('127.0.0.6');
  });

  test.each([
    ['version 1', 'old'],
    ['version 2, before the client has spoken', 'plain'],
  ] as const)('of %s a client counts by its own address, too', async (_, name) => {
    const options = { localAddress: '127.0.0.8' };
    const client = await JsonClient.open(`ws://127.0.0.1:${ports[name]}/ws`, [], options);
    const listed = await fetch(`http://127.0.0.1:${server.port}/api/connections`, { headers: asJson });
    const { connections } = (await listed.json()) as { connections: { address: string }[] };
    expect(connections.map(({ address }) => address)).toEqual(['127.0.0.8']);
    await client.close();
  });

  test('no request is lost, whatever the segments', async () => {
    const statuses = Array.from({ length: 100 }, () =>
      fetch(`http://127.0.0.1:${ports.plain}/healthz`, { headers: { connection: 'close' } }),
    );
    expect((await Promise.all(statuses)).filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe('the port for the PROXY protocol', () => {
  /** What comes of these bytes from this address, until the connection ends or answers. */
  async function answerTo(localAddress: string, ...segments: readonly string[]): Promise<string> {
    const port = server.proxyPort as number;
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    const answered = new Promise<string>((resolve) => {
      socket.once('data', (data: Buffer) => resolve(data.toString('latin1').split('\r\n')[0] ?? ''));
      socket.once('close', () => resolve(''));
      socket.on('error', () => resolve(''));
    });
    for (const segment of segments) await new Promise((resolve) => socket.write(segment, resolve));
    const answer = await answered;
    socket.destroy();
    return answer;
  }
  const header = 'PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n';
  const request = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

  test('serves trusted proxies only', async () => {
    expect(await answerTo('127.0.0.1', header, request)).toBe('HTTP/1.1 200 OK');
    expect(await answerTo('127.0.0.1', ...(header + request))).toBe('HTTP/1.1 200 OK');
    expect(await answerTo('127.0.0.9', header, request)).toBe('');
    expect(lines.at(-1)).toMatchObject({ address: '127.0.0.9' });
  });

  test('believes no second header', async () => {
    const second = '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x7f\0\0\x01\0\x01\0\x02';
    // The library refuses it, or closes the connection, by its version.
    for (const more of [second, header])
      expect(await answerTo('127.0.0.1', header + more + request)).toMatch(/^($|HTTP\/1.1 (400|505) )/);
  });

  test('serves nothing without a header, nor what is longer than a head before its first line ends', async () => {
    expect(await answerTo('127.0.0.1', request)).toBe('');
    expect(await answerTo('127.0.0.1', `${header}GET /${'x'.repeat(17 * 1024)}`)).toBe('');
  });
});

test('a peer that resets its connection has no address, and is not taken for one of the unix socket', async () => {
  const sockets = [
    await RawSocket.open(server.port, '127.0.0.9'),
    await RawSocket.open(server.port, '127.0.0.9'),
  ];
  const [first, second] = sockets as [RawSocket, RawSocket];
  whileLogging = () => {
    whileLogging = () => undefined;
    second.socket.resetAndDestroy();
  };
  const asked = (more: string) => `GET /api/topics HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\n${more}\r\n`;
  const from = lines.length;
  first.socket.write(asked(''));
  second.socket.write(asked('X-Forwarded-For: 203.0.113.9\r\nX-Request-Id: of-a-proxy\r\n'));
  await first.until((text) => text.includes('\r\n\r\n'));
  await expect.poll(() => lines.length).toBe(from + 2);
  expect(lines.slice(from).map(({ address }) => address)).toEqual(['127.0.0.9', 'gone']);
  expect(lines.at(-1)).not.toMatchObject({ request: 'of-a-proxy' });
  first.socket.destroy();
});

test('a peer that is no trusted proxy can’t claim another host', async () => {
  const headers = { 'x-forwarded-host': 'dash.example', 'x-forwarded-proto': 'https' };
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, {
    headers,
    origin: 'https://dash.example',
    localAddress: '127.0.0.7',
  });
  const status = await new Promise((resolve) => {
    socket.once('unexpected-response', (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    socket.on('error', () => undefined);
  });
  expect(status).toBe(403);
});

describe('the id of a request', () => {
  /** The `X-Request-Id` of the answer, and the status. */
  async function idOf(path: string, headers: Record<string, string>, localAddress = '127.0.0.9') {
    return new Promise<{ id: string; status: number }>((resolve, reject) => {
      const asked = httpRequest(
        { host: '127.0.0.1', port: server.port, path, headers, localAddress },
        (answer) => {
          answer.resume();
          resolve({ id: String(answer.headers['x-request-id']), status: answer.statusCode ?? 0 });
        },
      );
      asked.once('error', reject);
      asked.end();
    });
  }
  const given = { 'x-request-id': 'of-the-proxy', 'x-forwarded-for': '203.0.113.1' };

  test('is in each response, whatever becomes of the request: its own, or that of a trusted proxy', async () => {
    for (const path of [
      '/healthz',
      '/api/topics',
      '/nowhere',
      '/ws',
      '/poll?topic=a&timeoutSeconds=0',
      '/sse',
    ]) {
      const [own, theirs] = await Promise.all([idOf(path, given), idOf(path, given, '127.0.0.1')]);
      expect([path, own.id]).toEqual([path, expect.stringMatching(/^[\w-]{8}-[0-9a-z]+$/)]);
      expect([path, theirs.id]).toEqual([path, 'of-the-proxy']);
      expect(theirs.status).toBe(own.status);
    }
  });

  test('is in the line of the log about it', async () => {
    const refusal = { 'x-api-key': 'wrong', ...given };
    for (const [path, door] of [
      ['/api/topics', 'http'],
      ['/sse?topic=a', 'http'],
    ] as const) {
      const { id, status } = await idOf(path, refusal);
      expect(status).toBe(401);
      expect(lines.findLast((line) => 'door' in line)).toMatchObject({ door, request: id });
    }
  });
});
