import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { learnRefusal } from '../../../src/client/connection/learn-refusal.ts';
import { request } from '../../../src/client/http/receive.ts';
import { type ClientOptions, SluiceClient } from '../../../src/client/index.ts';
import { platformRuntime } from '../../../src/client/runtime.ts';
import { ofTest } from '../../support/opened.ts';
import { gatewayOfFile } from '../../support/sdk.ts';
import { signToken, tokenSecret } from '../../support/tokens.ts';

let topics = 0;

const gateway = gatewayOfFile({
  tokenSecret,
  anonymous: true,
  connectionsMaxPerIp: 1000,
  handshakesPerSecondPerIp: 10_000,
});

const bodies = ['{"status":"ok"}', '{}', '[]', 'null', '<h1>Sign in</h1>'];

/** A client, and the server that responds in place of the gateway to the requests that `isOthers` names. */
function clientBeside(isOthers: (path: string) => boolean, respond: () => Response, options: ClientOptions) {
  const requests: string[] = [];
  const fetchEither: typeof fetch = async (input, init) => {
    const { pathname } = new URL(String(input));
    if (!isOthers(pathname)) return fetch(input, init);
    requests.push(pathname);
    // As a response over a network, so that timers run even where the client asks without a pause.
    await setImmediate();
    return respond();
  };
  const runtime = { ...platformRuntime(), fetch: fetchEither };
  const client = ofTest(new SluiceClient(gateway.wsUrl, { WebSocket, jitter: 'none', runtime, ...options }));
  client.onError(() => undefined);
  return { client, requests };
}

async function historyOf(topic: string): Promise<unknown[]> {
  const response = await fetch(`${gateway.url}/api/topics/${topic}/history`);
  const page = (await response.json()) as { readonly messages: readonly { readonly data: unknown }[] };
  return page.messages.map(({ data }) => data);
}

const codeOf = ({ code }: { readonly code: string }) => code;

describe.each(['sse', 'poll'] as const)('to a client by %s, of another server', (transport) => {
  it.each([...bodies, '{"epoch":"e"}', '{"epoch":"e","after":0,"upto":0}'])(
    'a response of 200 with %s is no reply to a command',
    async (body) => {
      const options = { transports: [transport], commandTimeoutMs: 300 };
      const isOthers = (path: string) => path.startsWith('/api/');
      const { client, requests } = clientBeside(isOthers, () => new Response(body), options);
      await client.connect();
      const topic = `replies-${transport}`;
      const replies = [client.publish(topic, 't', 1), client.call('m'), client.history(topic)];
      const codes = await Promise.all(replies.map((reply) => reply.catch(codeOf)));
      expect(codes).toEqual(['timeout', 'disconnected', 'timeout']);
      expect(requests).toHaveLength(3);
      expect(await historyOf(topic)).toEqual([]);
    },
  );
});

it('a request for history that was lost is sent again', async () => {
  let left = 1;
  const isLost = (path: string) => path.endsWith('/history') && left-- > 0;
  const { client } = clientBeside(isLost, lose, { transports: ['sse'] });
  await client.connect();
  await expect(client.history('never')).resolves.toMatchObject({ publications: [] });
});

it('no publication overtakes one that waits because of a rate limit', async () => {
  let left = 1;
  const isLimited = (path: string) => path === '/api/publish' && left-- > 0;
  const error = { code: 'rate_limited', message: 'too many' };
  const refuse = () => Response.json({ error }, { status: 429, headers: { 'retry-after': '1' } });
  const { client, requests } = clientBeside(isLimited, refuse, { transports: ['poll'] });
  await client.connect();
  await Promise.all([1, 2, 3].map((n) => client.publish('limited', 't', n)));
  expect([requests.length, await historyOf('limited')]).toEqual([1, [1, 2, 3]]);
});

it('a publish is not sent again once its time is over', async () => {
  const options: ClientOptions = { transports: ['sse'], commandTimeoutMs: 900 };
  const isLost = (path: string) => path === '/api/publish';
  const { client, requests } = clientBeside(isLost, lose, options);
  await client.connect();
  await expect(client.publish('late', 't', 1)).rejects.toMatchObject({ code: 'timeout' });
  // The pause before a request is sent again ends before this command does.
  await expect(client.publish('late', 't', 1)).rejects.toMatchObject({ code: 'timeout' });
  expect(requests).toHaveLength(2);
});

function lose(): Response {
  throw new TypeError('lost');
}

describe('of another server', () => {
  it.each([
    ...bodies.map((body) => [200, body] as const),
    [200, '{"events":[]}'] as const,
    [200, '{"cursor":"c"}'] as const,
    [204, null] as const,
  ])(
    'a response of %i with %s ends the polls, and what was published then is sent again',
    async (status, body) => {
      let isThere = false;
      const options = { fallbackPollingInterval: 10, reconnect: { delaysMs: [10] } };
      const { client } = clientBeside(
        () => isThere,
        () => new Response(body, { status }),
        { ...options, transports: ['poll'] },
      );
      await client.connect();
      const topic = `again-${++topics}`;
      const lost = new Promise((resolve) => client.onDisconnect(resolve));
      isThere = true;
      const published = client.publish(topic, 't', 'once');
      await lost;
      isThere = false;
      expect(await published).toMatchObject({ offset: 1 });
      expect(await historyOf(topic)).toEqual(['once']);
    },
  );

  it.each(['{"type":"connected"}', '{"type":"error"}', '{"status":"ok"}'])(
    'a stream of %s is no connection',
    async (data) => {
      const stream = () =>
        new Response(`data: ${data}\n\n`, { headers: { 'content-type': 'text/event-stream' } });
      const { client } = clientBeside(() => true, stream, { transports: ['sse'] });
      expect(await client.connect().catch(codeOf)).toBe('not_a_gateway');
    },
  );

  it('a refusal says when a connected client comes back', async () => {
    const error = {
      type: 'error',
      code: 'shutting_down',
      number: 1012,
      message: 'ends',
      retryAfterMs: 60_000,
    };
    const refusals = {
      poll: () => Response.json({ error }, { status: 503, headers: { 'retry-after': '60' } }),
      sse: () => new Response(`event: error\ndata: ${JSON.stringify(error)}\n\n`),
    };
    for (const [transport, respond] of Object.entries(refusals)) {
      let isDraining = false;
      const options = { transports: [transport as keyof typeof refusals] };
      const { client } = clientBeside(() => isDraining, respond, options);
      await client.connect();
      const lost = new Promise((resolve) => client.on('state', ({ retryAtMs }) => resolve(retryAtMs)));
      const askedAtMs = Date.now();
      isDraining = true;
      client.subscribe('another', () => undefined);
      expect(await lost).toBeGreaterThanOrEqual(askedAtMs + 60_000);
    }
  });

  it('a response of 200 acknowledges nothing, and the client acknowledges again', async () => {
    const token = await signToken({ sub: 'ann' });
    const isOthers = (path: string) => path.endsWith('/acks');
    const ok = () => new Response('{"status":"ok"}');
    const { client, requests } = clientBeside(isOthers, ok, { transports: ['sse'], token });
    client.subscribe('user:ann', {}, () => undefined);
    await client.connect();
    await gateway.post('/api/users/ann/notify', '{"data":1}');
    await expect.poll(() => requests.length).toBeGreaterThan(1);
  });

  it('a response of 200 gives no reason to give up, even if it has an error', async () => {
    const respond = async () => Response.json({ error: { code: 'unauthorized', message: 'no' } });
    const error = await learnRefusal('ws://127.0.0.1:1/ws', respond);
    expect(error.code).toBe('not_a_gateway');
  });

  it.each([
    ['{"error":"none"}', 404, 'not_a_gateway', 1012],
    ['{"error":{"code":404}}', 405, 'not_a_gateway', 1012],
    ['{"error":{}}', 426, 'not_a_gateway', 1012],
    ['{"error":null}', 502, 'gateway_unreachable', 1011],
    ['<h1>no</h1>', 505, 'http_version', 1014],
  ] as const)('an error %s with the status %i is told as %s', async (body, status, code, number) => {
    const fetch = async () => new Response(body, { status });
    const asked = request({ base: 'http://a/', fetch, headers: {} }, 'sse', '{}', {});
    await expect(asked).rejects.toMatchObject({ error: { code, number, retry: true } });
  });

  it.each([404, 405, 502, 503, 505])(
    'a response of %i to streams and polls leads a client back to the WebSocket',
    async (status) => {
      const codes: string[] = [];
      const { client, requests } = clientBeside(
        (path) => !path.startsWith('/ws'),
        () => new Response('<h1>no</h1>', { status }),
        { reconnect: { delaysMs: [1] }, WebSocket: refusedUntil(() => requests.length > 0) },
      );
      client.on('state', ({ error }) => codes.push(error?.code ?? ''));
      const connected = new Promise((resolve) => client.onConnect(resolve));
      // The gateway is back when the client asks why: it responds that this is a path of WebSockets.
      await expect(client.connect()).rejects.toMatchObject({ code: 'upgrade_failed' });
      await connected;
      expect(requests).toEqual([502, 503].includes(status) ? ['/sse'] : ['/sse', '/poll']);
      expect(codes).not.toContain('internal');
    },
  );
});

it.each<[string, () => Response]>([
  ['no server responds', () => Response.error()],
  ['a proxy reaches no gateway', () => new Response('', { status: 502 })],
])('a client of streams does not stay with polls where %s for a while', async (_, respond) => {
  let isDown = true;
  const respondOnce = () => {
    const response = respond();
    if (response.type !== 'error') return response;
    throw new TypeError('fetch failed');
  };
  const options: ClientOptions = { transports: ['sse', 'poll'], reconnect: { delaysMs: [100] } };
  const { client } = clientBeside(() => isDown, respondOnce, options);
  const connected = new Promise((resolve) => client.onConnect(resolve));
  await expect(client.connect()).rejects.toMatchObject({ code: 'gateway_unreachable' });
  isDown = false;
  await connected;
  expect(client.getStatus().transport).toBe('sse');
});

/** A class whose sockets are refused until then. */
function refusedUntil(isOver: () => boolean) {
  return class extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(isOver() ? url : 'ws://127.0.0.1:1', protocols);
    }
  };
}
