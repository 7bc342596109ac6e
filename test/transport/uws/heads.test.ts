import { expect, test } from 'vitest';
import { headMaxBytes } from '../../../src/transport/uws/load.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { opened } from '../../support/opened.ts';
import { RawSocket, upgradeRequest } from '../../support/raw-socket.ts';
import { gatewayOfTest } from '../../support/sdk.ts';

let gateway: TestGateway;

function open(): Promise<RawSocket> {
  return opened(RawSocket.open(gateway.port));
}

/** A request whose head has `bytes` bytes. */
function padded(head: string, bytes: number): string {
  const start = `${head.slice(0, -2)}cookie: `;
  return `${start}${'c'.repeat(bytes - start.length - 4)}\r\n\r\n`;
}

const get = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n';

/** Sends a text in segments, each of which the gateway has read before the next is sent. */
async function sendInSegments(socket: RawSocket, text: string, count: number): Promise<void> {
  const other = await open();
  const size = Math.ceil(text.length / count);
  for (let at = 0; at < text.length; at += size) {
    const from = other.text.length;
    await socket.send(text.slice(at, at + size));
    await other.send(get);
    await other.answer(from);
  }
}

test.each([
  ['below the limit', headMaxBytes - 1, 200],
  ['at the limit', headMaxBytes, 200],
  ['above the limit', headMaxBytes + 1, 431],
])('a head in several segments is served up to 16 KiB: %s', async (_, bytes, status) => {
  gateway = await gatewayOfTest();
  const socket = await open();
  await sendInSegments(socket, padded(get, bytes), 4);
  expect((await socket.answer()).status).toBe(status);
});

test('the head of an upgrade in several segments is served too, as cookies and tokens make it long', async () => {
  gateway = await gatewayOfTest();
  const socket = await open();
  await sendInSegments(socket, padded(upgradeRequest({}), 12_000), 3);
  expect((await socket.answer()).status).toBe(101);
});

test('each response says how long an idle connection is kept, which is less than the library keeps it', async () => {
  gateway = await gatewayOfTest();
  const statuses: number[] = [];
  for (const path of ['/healthz', '/openapi.json', '/nothing']) {
    const answer = await fetch(gateway.url + path);
    expect(answer.headers.get('keep-alive')).toBe('timeout=7');
    statuses.push(answer.status);
  }
  expect(statuses).toEqual([200, 200, 404]);
});

const host = 'host: localhost\r\n';
const headers = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}: v\r\n`).join('');

test.each([
  ['HTTP/1.0', `GET /healthz HTTP/1.0\r\n${host}\r\n`, 505],
  ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['an absolute URL', `GET http://localhost/healthz HTTP/1.1\r\n${host}\r\n`, 505],
  ['a length that is no number', `POST /api/publish HTTP/1.1\r\n${host}content-length: abc\r\n\r\n`, 400],
  [
    'two ways to tell the length',
    `POST /api/publish HTTP/1.1\r\n${host}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
])('the library answers %s, as LIBRARY.md says', async (_, request, status) => {
  gateway = await gatewayOfTest();
  const socket = await open();
  await socket.send(request);
  expect((await socket.answer()).status).toBe(status);
});

/** The binary for Node 20 is older than those for 22 and 24. */
const isOlderBinary = process.versions.modules === '115';

/** Sends a request, has another one answered, and returns what came for the first by then. */
async function meanwhile(request: string): Promise<string> {
  const socket = await open();
  await socket.send(request);
  const other = await open();
  await other.send(get);
  await other.answer();
  return socket.text;
}

test('the library responds to what is not HTTP with 505 on Node 20, and waits for more on later ones', async () => {
  gateway = await gatewayOfTest();
  expect((await meanwhile('hello\r\n\r\n')).startsWith('HTTP/1.1 505')).toBe(isOlderBinary);
});

test('the library serves 98 headers; to more it does not respond on Node 20, and refuses them on later ones', async () => {
  gateway = await gatewayOfTest();
  const served = await open();
  await served.send(`GET /healthz HTTP/1.1\r\n${host}${headers(97)}\r\n`);
  expect((await served.answer()).status).toBe(200);
  const told = await meanwhile(`GET /healthz HTTP/1.1\r\n${host}${headers(98)}\r\n`);
  expect(told.split('\r\n')[0]).toBe(isOlderBinary ? '' : 'HTTP/1.1 431 Request Header Fields Too Large');
});
