import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer, connect as tcpConnect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { fetchOwn } from '../../src/cli/own-fetch.ts';
import { makeCertificate, makeExpiredCertificate } from '../support/certificate.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { lastingPort } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { newFolder } from '../support/temporary.ts';

const folder = newFolder();
const certificates = {
  one: makeCertificate(folder, 'one'),
  two: makeCertificate(folder, 'two'),
  expired: makeExpiredCertificate(folder),
};
const live = { cert: join(folder, 'live.crt'), key: join(folder, 'live.key') };
const socketPath = join(folder, 'gateway.sock');
const key = 'a-key-of-the-tests-that-is-long-enough';

function install(name: keyof typeof certificates): void {
  copyFileSync(certificates[name].cert, live.cert);
  copyFileSync(certificates[name].key, live.key);
}

let gateway: TestGateway;
let https: string;
let wss: string;

beforeAll(async () => {
  install('one');
  gateway = await startGateway({
    tlsCertFile: live.cert,
    tlsKeyFile: live.key,
    unixSocket: socketPath,
    unixMode: '600',
    adminPort: 0,
    trustedProxies: ['127.0.0.2'],
    apiKeys: [key],
    anonymous: true,
  });
  https = `https://127.0.0.1:${gateway.port}`;
  wss = `wss://127.0.0.1:${gateway.port}/ws`;
});

afterAll(() => gateway?.close());

const trusting = { rejectUnauthorized: false };
const withKey = { authorization: `Bearer ${key}` };

/** The common name of the certificate that a new connection is shown. */
function shownName(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port: gateway.port, host: '127.0.0.1', ...trusting }, () => {
      resolve(String(socket.getPeerCertificate().subject['CN']));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

async function publish(topic: string, data: unknown): Promise<void> {
  const response = await fetchOwn(`${https}/api/publish`, {
    method: 'POST',
    headers: { ...withKey, 'content-type': 'application/json' },
    body: JSON.stringify({ topic, type: 'e', data }),
  });
  expect(response.status).toBe(200);
}

/** Over the unix socket. */
function ask(
  path: string,
  headers: Record<string, string> = {},
  { body = '', ...to }: { socketPath?: string; method?: string; body?: string } = {},
) {
  return new Promise<{ readonly status: number | undefined; readonly body: string }>((resolve, reject) => {
    const asked = httpRequest({ socketPath, path, headers, ...to }, async (answer) => {
      resolve({ status: answer.statusCode, body: await text(answer) });
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

describe('a port with TLS', () => {
  test('speaks nothing else', async () => {
    await expect(fetch(`http://127.0.0.1:${gateway.port}/healthz`)).rejects.toThrow();
    expect(await (await fetchOwn(`${https}/healthz`)).json()).toEqual({ status: 'ok' });
  });

  const record = (...head: readonly number[]) => Buffer.concat([Buffer.from(head), Buffer.alloc(70_000)]);
  test.each([
    ['a record larger than any', record(22, 3, 1, 0xff, 0xff)],
    ['a greeting of 16 MiB', record(22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff)],
    ['thousands of alerts', Buffer.alloc(35_000, Buffer.from([21, 3, 3, 0, 2, 1, 90]))],
    ['thousands of changes of the cipher', Buffer.alloc(30_000, Buffer.from([20, 3, 3, 0, 1, 1]))],
    ['a header of the PROXY protocol', Buffer.from('PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n')],
  ])('ends a connection that begins with %s', async (_, bytes) => {
    const socket = tcpConnect(gateway.port, '127.0.0.1').resume();
    await new Promise((resolve) => {
      socket
        .on('error', () => undefined)
        .once('close', resolve)
        .write(bytes);
    });
    expect((await fetchOwn(`${https}/healthz`)).status).toBe(200);
  });

  test.each(['localhost', 'x'.repeat(255), '*.example', 'a_b'])(
    'has one certificate: asked for %s',
    async (servername) => {
      const socket = tlsConnect({ port: gateway.port, host: '127.0.0.1', servername, ...trusting });
      await once(socket, 'secureConnect');
      expect(socket.getPeerCertificate().subject['CN']).toBe('one');
      socket.destroy();
    },
  );

  test('does not renegotiate', async () => {
    const socket = tlsConnect({ port: gateway.port, host: '127.0.0.1', maxVersion: 'TLSv1.2', ...trusting });
    await once(socket, 'secureConnect');
    const refused = new Promise((resolve) => {
      socket.once('error', resolve).renegotiate({}, (error) => resolve(error));
    });
    expect(await refused).toBeInstanceOf(Error);
  });

  test('says in its metrics when the certificate expires', async () => {
    const { validTo } = new X509Certificate(readFileSync(live.cert));
    const scraped = await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`, { headers: withKey });
    const said = /^sluice_certificate_expiry_timestamp_seconds (\S+)$/m.exec(await scraped.text())?.[1];
    expect(Number(said)).toBe(Date.parse(validTo) / 1000);
  });

  test('takes a new certificate, and keeps its connections', async () => {
    const before = await JsonClient.open(wss, [], trusting);
    await before.call({ type: 'subscribe', topic: 'kept' });
    expect(await shownName()).toBe('one');
    install('two');
    expect(await gateway.reloadCertificate()).toBeUndefined();
    expect(await shownName()).toBe('two');
    const after = await JsonClient.open(wss, [], trusting);
    await after.call({ type: 'subscribe', topic: 'kept' });
    await publish('kept', 1);
    for (const client of [before, after]) expect(await client.count('kept', 1)).toHaveLength(1);
    expect(await before.call({ type: 'ping' })).toMatchObject({ type: 'pong' });
    await Promise.all([before.close(), after.close()]);
  });

  test('loses no connection that came while it took it', async () => {
    const waiting = Array.from({ length: 20 }, () =>
      tlsConnect({ port: gateway.port, host: '127.0.0.1', ...trusting }),
    );
    const open = Promise.all(waiting.map((socket) => once(socket, 'secureConnect')));
    // They are in the queue of the old listener from the next tick on.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    install('one');
    expect(await gateway.reloadCertificate()).toBeUndefined();
    await open;
    for (const socket of waiting) socket.destroy();
    expect(await shownName()).toBe('one');
    install('two');
    expect(await gateway.reloadCertificate()).toBeUndefined();
  });

  test('takes it by itself when the files change', async () => {
    install('one');
    await expect.poll(shownName).toBe('one');
  });

  test.each([
    ['no certificate', () => writeFileSync(live.cert, 'nonsense'), live.cert],
    ['no key', () => writeFileSync(live.key, ''), live.key],
    ['the key of another', () => copyFileSync(certificates.two.key, live.key), live.key],
    ['no file', () => rmSync(live.cert), live.cert],
    ['one that has expired', () => install('expired'), live.cert],
  ])('keeps the old one where the new is at fault: %s', async (_, damage, path) => {
    damage();
    expect((await gateway.reloadCertificate())?.message).toContain(path);
    expect(await shownName()).toBe('one');
    install('one');
    expect(await gateway.reloadCertificate()).toBeUndefined();
  });

  test('does not start with a certificate that can’t be used', async () => {
    const flags = { tlsCertFile: certificates.one.cert, tlsKeyFile: certificates.two.key };
    await expect(startGateway(flags)).rejects.toThrow(/two\.key: this is not the key/);
    await expect(startGateway({ tlsCertFile: certificates.one.cert })).rejects.toThrow(/belong together/);
  });

  test('is not shared with a second gateway', async () => {
    const flags = { port: gateway.port, tlsCertFile: live.cert, tlsKeyFile: live.key };
    await expect(startGateway(flags)).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('a gateway that can’t have one of its ports', () => {
  test.each(['adminPort', 'unixSocket'])('keeps none of the others: %s', async (option) => {
    const port = await lastingPort();
    const taken = option === 'unixSocket' ? socketPath : gateway.port;
    await expect(startGateway({ port, [option]: taken })).rejects.toThrow();
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });
});

describe('a unix socket', () => {
  test('has the permissions that were asked for, and serves what the port does', async () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    expect((await ask('/healthz')).status).toBe(200);
    const client = await JsonClient.open(`ws+unix://${socketPath}:/ws`);
    await client.call({ type: 'subscribe', topic: 'by-socket' });
    await publish('by-socket', 1);
    expect(await client.count('by-socket', 1)).toHaveLength(1);
    await client.close();
  });

  test('is a trusted proxy: a client counts by the address that it names', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.9' };
    const client = await JsonClient.open(`ws+unix://${socketPath}:/ws`, [], { headers });
    expect((await connections()).map(({ address }) => address)).toContain('203.0.113.9');
    await client.close();
  });

  test('is never this machine itself', async () => {
    const path = join(folder, 'keyless.sock');
    const keyless = await startGateway({ unixSocket: path });
    onTestFinished(() => keyless.close());
    const body = '{"topic":"a","type":"e"}';
    expect((await keyless.post('/api/publish', body)).status).toBe(200);
    const json = { 'content-type': 'application/json' };
    const answers = [
      await ask('/api/publish', json, { socketPath: path, method: 'POST', body }),
      await ask('/poll', json, { socketPath: path, method: 'POST', body: '{"topics":["a"]}' }),
    ];
    for (const read of ['/api/topics/a/history', '/metrics', '/ws', '/ws/a', '/sse?topic=a', '/poll?topic=a'])
      answers.push(await ask(read, {}, { socketPath: path }));
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('unix socket') });
    await expect(JsonClient.open(`ws+unix://${path}:/ws`)).rejects.toThrow('1006');
  });

  test('is refused where another gateway listens or a file lies, and replaces one that a dead gateway left', async () => {
    await expect(startGateway({ unixSocket: socketPath })).rejects.toThrow(/another process listens there/);
    expect((await ask('/healthz')).status).toBe(200);
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    await expect(startGateway({ unixSocket: file })).rejects.toThrow(/no socket/);
    await expect(startGateway({ unixSocket: join(folder, 'missing/s') })).rejects.toThrow(/missing/);
    const stale = join(folder, 'stale.sock');
    await leaveBehind(stale);
    const next = await startGateway({ unixSocket: stale });
    await next.close();
    expect(existsSync(stale)).toBe(false);
  });
});

/** A socket file whose process has ended without removing it. */
async function leaveBehind(path: string): Promise<void> {
  const kept = join(folder, 'kept.sock');
  await new Promise<void>((resolve) => {
    const server = createServer().listen(kept, () => {
      // Closing removes the file that was listened on, not this name of it.
      linkSync(kept, path);
      server.close(() => resolve());
    });
  });
}

describe('an admin port', () => {
  test('has metrics and administration, which the public port has not', async () => {
    const admin = `http://127.0.0.1:${gateway.adminPort}`;
    for (const path of ['/metrics', '/api/connections']) {
      expect((await fetchOwn(https + path, { headers: withKey })).status).toBe(404);
      expect((await fetch(admin + path, { headers: withKey })).status).toBe(200);
    }
    for (const url of [`${admin}/healthz`, `${admin}/api/stats`])
      expect((await fetch(url, { headers: withKey })).status).toBe(200);
    expect((await fetchOwn(`${https}/api/topics`, { headers: withKey })).status).toBe(200);
    await expect(JsonClient.open(`${admin.replace('http', 'ws')}/ws`)).rejects.toThrow();
  });

  test('is at the address of adminHost, and at no other', async () => {
    const apart = await startGateway({ adminPort: 0, adminHost: '127.0.0.2', apiKeys: [key] });
    onTestFinished(() => apart.close());
    const metrics = (host: string) =>
      fetch(`http://${host}:${apart.adminPort}/metrics`, { headers: withKey });
    expect((await metrics('127.0.0.2')).status).toBe(200);
    await expect(metrics('127.0.0.1')).rejects.toThrow();
  });

  test('lets an operator in when clients have taken all connections', async () => {
    const full = await startGateway({ adminPort: 0, httpConnectionsMax: 3, apiKeys: [key] });
    onTestFinished(() => full.close());
    const idle = Array.from({ length: 3 }, () => tcpConnect(full.port, '127.0.0.1'));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    await expect(fetch(`${full.url}/healthz`)).rejects.toThrow();
    const stats = await fetch(`http://127.0.0.1:${full.adminPort}/metrics`, { headers: withKey });
    expect(await stats.text()).toContain('sluice_http_connections 3\n');
    for (const socket of idle) socket.destroy();
  });

  test('asks for keys as the other does', async () => {
    expect((await fetch(`http://127.0.0.1:${gateway.adminPort}/api/connections`)).status).toBe(401);
  });
});

interface Listed {
  readonly address: string;
}

async function connections(): Promise<readonly Listed[]> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/api/connections`, { headers: withKey });
  return ((await response.json()) as { connections: Listed[] }).connections;
}

/** The beginning of a connection that a proxy passes on (PROXY protocol, version 2, TCP over IPv4). */
function proxyHeader(source: readonly number[]): Buffer {
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  return Buffer.concat([signature, Buffer.from([0x21, 0x11, 0, 12, ...source, 127, 0, 0, 1, 1, 2, 0, 80])]);
}

/** The status of a publish that comes after a PROXY header, from this address of this machine. */
function publishStatus(port: number, localAddress: string, header: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const body = '{"topic":"a","type":"e"}';
    const socket = tcpConnect({ port, host: '127.0.0.1', localAddress }, () => {
      const head = 'POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n';
      socket.write(
        Buffer.concat([header, Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n${body}`)]),
      );
    });
    socket.once('data', (data: Buffer) => {
      resolve(Number(data.toString('latin1').split(' ')[1]));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe('a PROXY header', () => {
  test('is believed of a trusted proxy only, and makes no request one of this machine', async () => {
    const plain = await startGateway({ trustedProxies: ['127.0.0.2'] });
    const keyed = await startGateway({ trustedProxies: ['127.0.0.2'], apiKeys: [key], anonymous: true });
    onTestFinished(async () => void (await Promise.all([plain.close(), keyed.close()])));
    const none = Buffer.alloc(0);
    const header = proxyHeader([203, 0, 113, 7]);
    expect(await publishStatus(plain.port, '127.0.0.1', none)).toBe(200);
    expect(await publishStatus(plain.port, '127.0.0.1', header)).toBe(403);
    expect(await publishStatus(plain.port, '127.0.0.2', header)).toBe(403);
    const addressBy = async (localAddress: string) => {
      await expect(new RawUpgrade(plain.port, localAddress, header).opened).rejects.toThrow('403');
      const client = new RawUpgrade(keyed.port, localAddress, header);
      await client.opened;
      const answer = await fetch(`${keyed.url}/api/connections`, { headers: withKey });
      const listed = (await answer.json()) as { connections: Listed[] };
      client.end();
      await expect.poll(() => keyed.metric('sluice_connections')).toBe(0);
      return listed.connections.map(({ address }) => address);
    };
    expect(await addressBy('127.0.0.2')).toEqual(['203.0.113.7']);
    expect(await addressBy('127.0.0.3')).toEqual(['127.0.0.3']);
  });
});

/** A WebSocket that begins with a PROXY header. */
class RawUpgrade {
  readonly opened: Promise<void>;
  readonly #socket;

  constructor(port: number, localAddress: string, header: Buffer) {
    this.#socket = tcpConnect({ port, host: '127.0.0.1', localAddress });
    const head =
      'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    this.#socket.write(Buffer.concat([header, Buffer.from(head)]));
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once('data', (data: Buffer) =>
        data.toString('latin1').startsWith('HTTP/1.1 101')
          ? resolve()
          : reject(new Error(data.toString('latin1'))),
      );
      this.#socket.once('error', reject);
    });
  }

  end(): void {
    this.#socket.destroy();
  }
}
