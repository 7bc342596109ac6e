import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { hookSecret } from '../support/hook-server.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

// Everything that must not come out of the gateway but to those that it is for: tokens and keys, good and bad, by
// every way in; payloads, well-formed and not. Then the log at `trace`, all errors and the metrics are searched.

const lines: string[] = [];
/** What clients were told of errors. */
const errors: string[] = [];
const secrets = new Map<string, string>([
  ['token secret', tokenSecret],
  ['API key', apiKey],
  ['unknown API key', 'planted-key-that-is-unknown-0123456789'],
  ['payload', 'planted-payload-58c1'],
  ['cookie', 'planted-cookie-77ab'],
  ['query of a URL', 'planted-query-91fe'],
  ['hook secret', hookSecret],
]);
const payload = secrets.get('payload') as string;
const badKey = secrets.get('unknown API key') as string;
const topics = [{ pattern: 'room:*', allow: ['subscribe', 'publish', 'presence'] }];

let gateway: TestGateway;

beforeAll(async () => {
  const flags = { apiKeys: [apiKey], tokenSecret, logLevel: 'trace', compat: ['c', 'd'], canary: true };
  const away = `http://127.0.0.1:1/?key=${secrets.get('query of a URL')}`;
  const others = { tokenKeysUrl: away, hookCall: away, hookEvents: away, hookSecret };
  gateway = await startGateway({ ...flags, ...others, payloadMaxBytes: 2048 }, undefined, {
    write: (line) => lines.push(line),
  });
});

afterAll(() => gateway.close());

/** A planted token: neither it nor its signature may be seen. */
async function plant(name: string, ...[claims, options]: Parameters<typeof signToken>): Promise<string> {
  const token = await signToken({ jti: name, topics, ...claims }, options);
  secrets.set(name, token).set(`signature of ${name}`, token.slice(token.lastIndexOf('.') + 1));
  return token;
}

async function ask(path: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(`${gateway.url}${path}`, { ...init, signal: AbortSignal.timeout(20_000) });
  const text = await response.text();
  // A stream says in band that it is refused for now.
  if (!response.ok || path.startsWith('/sse')) errors.push(JSON.stringify([...response.headers]), text);
  return response.status;
}

const bearer = (credential: string) => ({
  authorization: `Bearer ${credential}`,
  cookie: `session=${secrets.get('cookie')}`,
});

function keep(client: JsonClient): void {
  for (const frame of client.frames as readonly (Frame & { readonly error?: unknown })[])
    if (frame.type === 'error' || JSON.stringify(frame).includes('"error"'))
      errors.push(JSON.stringify(frame));
  if (client.closed !== undefined) errors.push(client.closed.reason);
}

/** Bodies whose data is planted, and that are refused for different reasons. */
const badBodies = [
  `${payload}`,
  `{"topic":"room:1","type":"x","data":${payload}}`,
  `{"topic":"room:1","type":"x","data":{"a":"${payload}"}`,
  `{"topic":"room:1","type":"x","data":{"${payload}":1,"${payload}":2}}`,
  `{"topic":"room:1","type":"x","data":"${payload}\u0001"}`,
  `{"topic":"room:1","type":"x","data":"${payload.padEnd(4096, '-')}"}`,
  `{"topic":"room:1","data":"${payload}"}`,
  `{"topic":"other","type":"x","data":"${payload}"}`,
  `{"topic":"room:1","type":"x","messageId":7,"data":"${payload}","tags":{"a":["${payload}"]}}`,
];

describe('a gateway that logs at trace', () => {
  test('is given secrets by every way in', async () => {
    const good = await plant('token', { sub: 'alice' });
    const expired = await plant('expired', {}, { expiresIn: 1 });
    const later = await plant('later', { nbf: 4e9 });
    const forged = await plant('forged', { sub: 'mallory' }, { secret: 'x'.repeat(40) });
    const bad = [expired, later, forged, badKey, `${good}x`, await plant('odd', { topics: payload })];

    for (const credential of bad) {
      const question = `token=${credential}`;
      const seen = [
        await ask('/api/publish', { method: 'POST', headers: bearer(credential), body: '{}' }),
        await ask('/api/stats', { headers: { 'x-api-key': credential } }),
        await ask(`/ws?${question}`),
        await ask(`/sse?topic=room:1&${question}`),
        await ask(`/poll?topic=room:1&${question}`),
        await ask(`/api/v1/ws/mallory?${question}`),
      ];
      expect(seen.filter((status) => status < 400)).toEqual(credential === later ? [200] : []);
      const socket = await RawSocket.open(gateway.port);
      socket.send(upgradeRequest({ path: `/ws/room:1?${question}` }));
      errors.push((await socket.answer()).body);
      socket.kill();
      const client = await JsonClient.open(gateway.wsUrl);
      await client.call({ type: 'connect', token: credential });
      await client.close();
      keep(client);
    }

    const client = await JsonClient.open(`${gateway.wsUrl}?token=${good}`);
    await client.call({ type: 'subscribe', topic: 'room:1' });
    for (const body of badBodies) {
      expect(await ask('/api/publish', { ...json(body), headers: headers(apiKey) })).toBeLessThan(500);
      expect(await ask('/api/publish/batch', { ...json(`[${body}]`), headers: headers(good) })).toBeLessThan(
        500,
      );
      client.socket.send(body.replace('{', '{"type":"publish","id":9,').replace('"type":"x",', ''));
    }
    for (const token of bad) await client.call({ type: 'refresh', token });
    const data = { secret: payload };
    const filter = { op: 'eq', tag: 7, value: payload };
    await client.call({ type: 'subscribe', topic: 'room:2', filter });
    await client.call({ type: 'call', method: 'x', data });
    await client.call({ type: 'publish', topic: 'other', publication: { type: 'x', data } });
    const routes = ['/api/broadcast', '/api/users/alice/notify', '/api/tokens/revoke', '/api/jobs/x'];
    for (const route of routes)
      await ask(route, { ...json(JSON.stringify({ data, token: good })), headers: headers(apiKey) });
    await ask(`/api/topics/room:1/history?limit=1&token=${good}&x=${good}`);
    expect(
      await ask('/api/publish', {
        ...json(JSON.stringify({ topic: 'room:1', type: 'x', data })),
        headers: headers(apiKey),
      }),
    ).toBe(200);
    await client.count('room:1', 1);
    expect(
      await ask('/api/tokens/revoke', {
        ...json(JSON.stringify({ jti: 'token' })),
        headers: headers(apiKey),
      }),
    ).toBe(200);
    expect(await client.end()).toMatchObject({ code: 4501 });
    keep(client);
    await expect.poll(() => lines.some((line) => line.includes('a connection ended'))).toBe(true);
    expect(errors.length).toBeGreaterThan(50);
  });

  test.each([
    ['log', () => lines.join('')],
    ['errors', () => errors.join('\n')],
    ['metrics', async () => (await fetch(`${gateway.url}/metrics`, { headers: bearer(apiKey) })).text()],
    ['statistics', async () => (await fetch(`${gateway.url}/api/stats`, { headers: bearer(apiKey) })).text()],
  ])('shows none of them in its %s', async (_, read) => {
    const text = await read();
    expect(text.length).toBeGreaterThan(100);
    const shown = [...secrets].filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)));
    expect(shown.map(([name]) => name)).toEqual([]);
  });

  test('logs each connection in one line when it has ended, with the reason', () => {
    const lives = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === 'a connection ended');
    expect(lives.filter(({ user }) => user === 'alice')).toMatchObject([
      { transport: 'websocket', address: '127.0.0.1', subscriptions: 3, reason: 'unauthorized', code: 4501 },
    ]);
  });
});

const json = (body: string) => ({ method: 'POST', body });
const headers = (credential: string) => ({ 'content-type': 'application/json', ...bearer(credential) });

function formsOf(secret: string): string[] {
  return [
    secret,
    encodeURIComponent(secret),
    ...['base64', 'base64url', 'hex'].map((each) => Buffer.from(secret).toString(each as BufferEncoding)),
  ];
}
