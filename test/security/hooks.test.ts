import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { HookServer, hookSecret } from '../support/hook-server.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { ofTest } from '../support/opened.ts';

/** Two gateways that wait as long for the application: one lets none in when it fails, the other does. */
interface Pair {
  readonly closed: TestGateway;
  readonly open: TestGateway;
}

let hooks: HookServer;
/** Gives no question up while a busy machine takes long over the answer. */
let patient: Pair;
let impatient: Pair;
let closed: TestGateway;

async function startPair(timeoutMs: number): Promise<Pair> {
  const { url } = hooks;
  const flags = { hookConnect: url, hookSubscribe: url, hookPublish: url, hookCall: url, hookSecret };
  const times = { hookTimeoutMs: timeoutMs, callTimeoutMs: timeoutMs };
  const [strict, lenient] = await Promise.all([
    startGateway({ ...flags, ...times }),
    startGateway({ ...flags, ...times, hookFailOpen: 'connect,subscribe,publish' }),
  ]);
  return { closed: strict, open: lenient };
}

beforeAll(async () => {
  hooks = await HookServer.start();
  [patient, impatient] = await Promise.all([startPair(60_000), startPair(1000)]);
  closed = patient.closed;
});
beforeEach(() => hooks.reset());
afterAll(async () => {
  await Promise.all([patient, impatient].flatMap((pair) => [pair.closed.close(), pair.open.close()]));
  hooks.close();
});

/** A gateway that waits a second only may give up the question whether a client may connect: then it asks again. */
async function entered({ wsUrl }: TestGateway): Promise<JsonClient> {
  let client: JsonClient | undefined;
  while (client === undefined) client = await JsonClient.open(wsUrl).catch(() => undefined);
  return ofTest(client);
}

function pour(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536, 'x');
  const write = (): void => {
    while (!response.destroyed && response.write(chunk));
    response.once('drain', write);
  };
  write();
}

describe('an application', () => {
  it.each<[string, string, (response: ServerResponse) => void]>([
    ['that hangs', 'timeout', () => undefined],
    ['that hangs in the middle', 'timeout', (response) => response.write('{"allow":')],
    ['that returns 100 MB', 'too_large', pour],
    ['that redirects', 'redirect', (r) => r.writeHead(307, { location: hooks.url }).end('{"allow":true}')],
    ['that fails', 'status', (r) => r.writeHead(500).end('{"allow":true}')],
    ['that cuts the connection', 'network', (response) => response.destroy()],
    ['that returns a page', 'malformed', (response) => response.end('<html></html>')],
    ['that returns bytes', 'malformed', (response) => response.end(Buffer.from([0xff, 0xfe]))],
    ['that returns nothing', 'malformed', (response) => response.end()],
    ['whose yes is a text', 'malformed', (response) => response.end('{"allow":"true"}')],
    ['that says more than it may', 'malformed', (r) => r.end('{"allow":true,"admin":true}')],
    ['that returns too few results', 'malformed', (response) => response.end('{"results":[]}')],
    ['whose filter is none', 'malformed', (r) => r.end('{"allow":true,"filter":{"op":"eq"}}')],
    ['that says no and yes', 'malformed', (r) => r.end('{"allow":false,"allow":true}')],
    [
      'that returns 300 MB in 300 kB',
      'too_large',
      (r) => r.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(300 * 2 ** 20))),
    ],
    [
      'that returns deep JSON',
      'malformed',
      (r) => r.end(`{"allow":true,"filter":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
    ],
    [
      'with a constructor',
      'malformed',
      (r) => r.end('{"allow":true,"constructor":{"prototype":{"allow":true}}}'),
    ],
    [
      'that answers with the end of its connection',
      'malformed',
      (r) => r.socket?.end('HTTP/1.0 200 OK\r\n\r\n{"a'),
    ],
    ['with a prototype', 'malformed', (r) => r.end('{"__proto__":{"allow":true}}')],
  ])('%s lets none in, unless failures do, and others are served', async (_, reason, rude) => {
    const { closed, open } = reason === 'timeout' ? impatient : patient;
    const clients = await Promise.all([closed, open].map(entered));
    const [strict, lenient] = clients as [JsonClient, JsonClient];
    hooks.rude = rude;
    const before = closed.metrics.hookErrorsTotal.labels({ hook: 'subscribe', reason }).value;
    const subscribe = { type: 'subscribe', topic: 'stats' };
    const [refused, served, failed, pong, explained] = await Promise.all([
      strict.call(subscribe),
      lenient.call(subscribe),
      strict.call({ type: 'call', method: 'any' }),
      strict.call({ type: 'ping' }),
      fetch(`${closed.url}/ws`),
    ]);
    expect(refused).toMatchObject({
      results: [{ error: { code: 'application_unavailable', retry: true } }],
    });
    expect(served).toMatchObject({ results: [{ view: expect.any(Number) }] });
    expect(failed).toMatchObject({ code: 'application_unavailable' });
    expect(pong.type).toBe('pong');
    expect(explained.status).toBe(503);
    await explained.text();
    expect(closed.metrics.hookErrorsTotal.labels({ hook: 'subscribe', reason }).value).toBe(before + 1);
  });

  it.each([
    [65_535, true],
    [65_536, true],
    [65_537, false],
  ])('whose answer has %i bytes of 64 KiB is believed: %j', async (bytes, isBelieved) => {
    hooks.answer = () => '{"allow":true}'.padEnd(bytes);
    const opening = JsonClient.open(closed.wsUrl);
    if (isBelieved) await (await opening).close();
    else await expect(opening).rejects.toThrow();
  });

  it('that names topics of Sluice or of another user is not believed', async () => {
    for (const topics of [['$canary'], ['user:eve'], ['a b'], ['p*']]) {
      hooks.answer = () => ({ allow: true, user: 'bob', topics });
      const response = await fetch(`${closed.url}/sse?topic=stats`);
      expect(await response.text()).toContain('application_unavailable');
    }
  });

  it('that names a user who has no topic is not believed', async () => {
    for (const user of ['', 'é'.repeat(100), '\ud800', 5]) {
      hooks.answer = () => ({ allow: true, user });
      const response = await fetch(`${closed.url}/sse?topic=stats`);
      expect([user, await response.text()]).toEqual([
        user,
        expect.stringContaining('application_unavailable'),
      ]);
    }
  });

  it('that names topics twice, or its user’s own, lets each be joined once', async () => {
    hooks.answer = () => ({ allow: true, user: 'bob', topics: ['stats', 'stats', 'user:bob'] });
    const client = await entered(closed);
    hooks.answer = () => ({ allow: true });
    const { subscriptions } = await client.call({ type: 'status' });
    const views = subscriptions as readonly { readonly topic: string; readonly view: number }[];
    expect(views.map(({ topic }) => topic).sort()).toEqual(['$all', 'stats', 'user:bob']);
    // Views are numbered as they are joined.
    const numbers = views.map(({ view }) => view);
    expect(Math.max(...numbers) - Math.min(...numbers)).toBe(2);
  });

  it('whose bytes are not base64 is not believed', async () => {
    const client = await entered(closed);
    const ask = (dataBase64: string) => {
      hooks.answer = () => ({ dataBase64 });
      return client.call({ type: 'call', method: 'any' });
    };
    expect(await ask('AQID')).toMatchObject({ dataBase64: 'AQID' });
    for (const text of ['AQI', 'AQ ID', '!!!!', '-_-_'])
      expect([text, await ask(text)]).toEqual([
        text,
        expect.objectContaining({ code: 'application_unavailable' }),
      ]);
  });

  it('that hangs is asked at most 32 questions of one client at a time, and holds nothing afterwards', async () => {
    const client = await entered(closed);
    const hanging: ServerResponse[] = [];
    hooks.rude = (response) => hanging.push(response);
    const call = () => client.call({ type: 'call', method: 'any' });
    const replies = Array.from({ length: 33 }, call);
    const isRefused = ({ type }: Frame) => type === 'error';
    expect(await client.until(isRefused)).toMatchObject({ code: 'rate_limited' });
    await expect.poll(() => hanging.length).toBe(32);
    for (const response of hanging) response.destroy();
    const codes = (await Promise.all(replies)).map(({ code }) => code);
    expect(codes.filter((code) => code === 'rate_limited')).toHaveLength(1);
    expect(codes.filter((code) => code === 'application_unavailable')).toHaveLength(32);
    expect(await closed.metric('sluice_hooks_waiting')).toBe(0);
  });
});
