import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { publishRequest, RawSocket } from '../support/raw-socket.ts';
import { gatewayOfFile } from '../support/sdk.ts';

const key = 'a-key-of-some-length';
const local = gatewayOfFile({ origins: ['https://dash.example.org'] });
const keyed = gatewayOfFile({ apiKeys: [key] });

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Unlike `fetch` it lets a test send any header. */
async function send(gateway: TestGateway, path: string, { method = 'GET', headers = {}, body }: Sent = {}) {
  const asked = request(gateway.url + path, { method, headers, agent: false });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, text: await text(answer) };
}

const json = { 'content-type': 'application/json' };
const publishing = (headers: Readonly<Record<string, string>>): Sent => ({
  method: 'POST',
  headers: { ...json, ...headers },
  body: '{"topic":"guarded"}',
});

test('requests that were sent ahead are answered in their order, if the engine commits at once', async () => {
  const raw = await RawSocket.open(local.port);
  const bodies = [1, 2, 3].map((data) => JSON.stringify({ topic: 'ahead', data }));
  await raw.send(bodies.map((body) => publishRequest(body)).join(''));
  const offsets: unknown[] = [];
  for (let end = 0; offsets.length < 3; ) {
    const answer = await raw.answer(end);
    offsets.push((JSON.parse(answer.body) as { offset: unknown }).offset);
    end = answer.end;
  }
  raw.kill();
  expect(offsets).toEqual([1, 2, 3]);
});

test('a broadcast reaches every session; one can be listed and ended', async () => {
  const client = await JsonClient.open(local.wsUrl);
  await local.post('/api/broadcast', '{"type":"system_message","data":"maintenance"}');
  await client.until(({ type, data }) => type === 'system_message' && data === 'maintenance');
  const { connections } = (await (await fetch(`${local.url}/api/connections`)).json()) as {
    connections: { id: string }[];
  };
  expect(connections).toMatchObject([{ transport: 'websocket', codec: 'json', address: '127.0.0.1' }]);
  expect((await local.post(`/api/connections/${connections[0]!.id}/disconnect`, '{}')).status).toBe(200);
  expect(await client.end()).toMatchObject({ code: 4500 });
});

describe('without keys', () => {
  test('a page of a listed origin may, and may read the response', async () => {
    const origin = 'https://dash.example.org';
    const preflight = { origin, 'access-control-request-method': 'POST' };
    const asked = await send(local, '/api/publish', { method: 'OPTIONS', headers: preflight });
    expect([asked.status, asked.headers['access-control-allow-origin']]).toEqual([200, origin]);
    const answer = await send(local, '/api/publish', publishing({ origin, 'sec-fetch-site': 'cross-site' }));
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, origin]);
  });
});

describe('with keys', () => {
  test('a page of another origin cannot open a WebSocket, its own can', async () => {
    const refused = new JsonClient(keyed.wsUrl, [], { origin: 'https://evil.example' });
    expect((await refused.end()).code).toBe(1006);
    const own = await JsonClient.open(keyed.wsUrl, [], { origin: keyed.url });
    await own.close();
  });
});

describe('HTTP itself', () => {
  test.each(['/openapi.json', '/ws'])('HEAD of %s has the headers of GET and no body', async (path) => {
    const get = await send(local, path);
    const head = await send(local, path, { method: 'HEAD' });
    expect([head.status, head.text]).toEqual([get.status, '']);
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(get.text)));
    expect(head.headers['content-type']).toBe(get.headers['content-type']);
  });

  test('a wrong method is refused with the allowed ones', async () => {
    const answer = await send(local, '/api/publish', { method: 'PUT', headers: json, body: '{}' });
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'POST, OPTIONS']);
    for (const path of ['/ws', '/ws/stats']) {
      const { status, headers } = await send(local, path, { method: 'POST', headers: json, body: '{}' });
      expect([path, status, headers['allow']]).toEqual([path, 405, 'GET, HEAD']);
    }
  });

  test('a connection that is refused before its body stays usable', async () => {
    const socket = connect(keyed.port, '127.0.0.1');
    const refused = 'POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello';
    socket.write(`${refused}GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const answers = await text(socket);
    expect(answers).toContain('HTTP/1.1 401 Unauthorized');
    expect(answers).toContain('{"status":"ok"}');
  });

  test('requests are counted by route, and refused ones by why', async () => {
    await send(local, '/api/topics/some%20topic/history');
    expect((await send(local, '/api/publish', publishing({ via: '1.1 proxy' }))).status).toBe(403);
    const { text: metrics } = await send(local, '/metrics');
    expect(metrics).toMatch(
      /sluice_http_requests_total\{route="\/api\/topics\/\{topic\}\/history",status="400"\} 1/,
    );
    expect(metrics).toMatch(/sluice_auth_failures_total\{reason="local_only"\} \d+/);
  });
});
