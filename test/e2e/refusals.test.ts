import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const wrongKey = 'wrong-key-that-must-not-be-logged';

let server: RunningServer;
let lines: Record<string, unknown>[];
let linesAtStart = 0;

async function start(flags: Record<string, unknown>): Promise<void> {
  lines = [];
  const config = loadConfig({ flags: { port: 0, canary: false, shutdownGraceSeconds: 1, ...flags } });
  const log = createLog(
    { logLevel: 'info', logFormat: 'json' },
    { write: (line) => lines.push(JSON.parse(line)) },
  );
  server = await opened(startServer(config, { log }));
  linesAtStart = lines.length;
}

/** Without what it says of its configuration at the start. */
const warnings = () => lines.slice(linesAtStart).filter(({ level }) => Number(level) >= 40);

async function request(head: readonly string[]): Promise<number> {
  const socket = await opened(RawSocket.open(server.port));
  await socket.send([...head, '', ''].join('\r\n'));
  return (await socket.answer()).status;
}

const get = (path: string, ...headers: string[]) =>
  request([`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${server.port}`, ...headers]);

async function upgrade(path: string, ...headers: string[]): Promise<number> {
  const socket = await opened(RawSocket.open(server.port));
  await socket.send(upgradeRequest({ path, headers }));
  await socket.until((text) => text.includes('\r\n\r\n'));
  return Number(socket.text.split(' ')[1]);
}

describe('a refused credential', () => {
  it('has one line in the log with the names, and without the credential, by every door', async () => {
    await start({ apiKeys: [apiKey], tokenSecret });
    const expired = await signToken({ sub: 'alice', exp: 1 });
    const early = await signToken({ sub: 'bob', nbf: 4_000_000_000 });
    const long = await signToken({ sub: 'x'.repeat(300) });
    const bearer = (credential: string) => `Authorization: Bearer ${credential}`;
    expect(await get('/api/topics/x/history', `X-API-Key: ${wrongKey}`)).toBe(401);
    expect(await get('/api/topics/x/history', bearer(expired))).toBe(401);
    expect(await upgrade(`/ws?token=${early}`)).toBe(401);
    expect(await upgrade('/ws', bearer(`${expired}x`))).toBe(401);
    const client = await JsonClient.open(`ws://127.0.0.1:${server.port}/ws`);
    expect(await client.call({ type: 'connect', token: long })).toMatchObject({ code: 'unauthorized' });
    await client.end();
    const bare = await JsonClient.open(`ws://127.0.0.1:${server.port}/ws`);
    await bare.call({ type: 'status' });
    await bare.end();
    expect(warnings().map(({ door, code, user, address }) => [door, code, user, address])).toEqual([
      ['http', 'unauthorized', undefined, '127.0.0.1'],
      ['http', 'token_expired', 'alice', '127.0.0.1'],
      ['upgrade', 'token_not_yet_valid', 'bob', '127.0.0.1'],
      ['upgrade', 'unauthorized', undefined, '127.0.0.1'],
      ['connect', 'unauthorized', 'x'.repeat(200), '127.0.0.1'],
      ['connect', 'unauthorized', undefined, '127.0.0.1'],
    ]);
    const text = JSON.stringify(lines);
    for (const secret of [apiKey, tokenSecret, wrongKey, expired, early, long])
      expect(text).not.toContain(secret);
    const metrics = await server.metrics.registry.metrics();
    expect(metrics).toContain('sluice_auth_failures_total{reason="unauthorized"} 4\n');
  });

  it('does not log the plain request, which SDKs repeat', async () => {
    await start({ apiKeys: [apiKey] });
    expect(await get('/ws', `X-API-Key: ${wrongKey}`)).toBe(401);
    expect(warnings()).toEqual([]);
  });
});

describe('a refused origin', () => {
  it('has one line in the log, of upgrades and of preflights', async () => {
    await start({ apiKeys: [apiKey], origins: ['https://dash.example.org'] });
    expect(await upgrade('/ws', 'Origin: https://evil.example')).toBe(403);
    const preflight = [
      'OPTIONS /api/publish HTTP/1.1',
      `Host: 127.0.0.1:${server.port}`,
      'Origin: https://evil.example',
      'Access-Control-Request-Method: POST',
    ];
    expect(await request(preflight)).toBe(403);
    expect(warnings().map(({ door, code, origin }) => [door, code, origin])).toEqual([
      ['upgrade', 'origin_not_allowed', 'https://evil.example'],
      ['http', 'origin_not_allowed', 'https://evil.example'],
    ]);
  });
});

describe('a gateway without credentials', () => {
  const publish = [
    'POST /api/publish HTTP/1.1',
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    'Content-Length: 13',
  ];
  const body = '{"topic":"t"}';
  const post = async (...headers: string[]) => {
    const socket = await opened(RawSocket.open(server.port));
    await socket.send([...publish, ...headers, '', body].join('\r\n'));
    return (await socket.answer()).status;
  };

  it('warns once of a proxy that says nothing of itself, and names the remedy', async () => {
    await start({});
    expect(await post()).toBe(200);
    expect(warnings()).toEqual([]);
    expect(await post('Connection: upgrade')).toBe(403);
    expect(await post('Connection: close')).toBe(200);
    expect(await post('Via: 1.1 proxy')).toBe(403);
    const [warning, ...rest] = warnings().filter(({ door }) => door === undefined);
    expect(rest).toEqual([]);
    expect(warning?.['msg']).toMatch(/Connection: upgrade.*--api-key, or --trusted-proxy 127\.0\.0\.1/);
  });

  it('trusts nothing that comes from a proxy that is named', async () => {
    await start({ trustedProxies: '127.0.0.1' });
    expect(await post()).toBe(403);
    expect(await get('/api/topics/t/history')).toBe(403);
    expect([await get('/metrics'), await get('/healthz')]).toEqual([403, 200]);
    for (const path of ['/ws', '/ws/t', '/sse?topic=t', '/poll?topic=t'])
      expect([path, await get(path)]).toEqual([path, 403]);
    expect(await upgrade('/ws')).toBe(403);
  });

  it('says at its start who may do what', async () => {
    await start({});
    expect(lines[0]?.['msg']).toMatch(
      /requests of this machine itself may do everything.*A proxy on this machine/,
    );
  });
});

describe('a client that meets a limit', () => {
  it('has a line in the log that names it and the limit, wherever it asks', async () => {
    await start({
      tokenSecret,
      connectionsMaxPerUser: 1,
      commandsPerSecond: 1,
      httpRequestsPerSecondPerUser: 1,
    });
    const token = await signToken({ sub: 'alice', topics: [{ pattern: '*', allow: ['subscribe'] }] });
    const client = await JsonClient.open(`ws://127.0.0.1:${server.port}/ws?token=${token}`);
    await Promise.all([client.call({ type: 'status' }), client.call({ type: 'status' })]);
    expect(await upgrade(`/ws?token=${token}`)).toBe(429);
    const ask = () => get('/api/topics/x/history', `Authorization: Bearer ${token}`);
    expect([await ask(), await ask()]).toEqual([200, 429]);
    await client.close();
    const who = { address: '127.0.0.1', user: 'alice' };
    expect(warnings()).toMatchObject([
      { door: 'command', code: 'rate_limited', limit: 'commandsPerSecond', ...who },
      { door: 'connection', limit: 'connectionsMaxPerUser', ...who },
      { door: 'http', limit: 'httpRequestsPerSecondPerIp, httpRequestsPerSecondPerUser', ...who },
    ]);
  });
});
