import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { SluiceClient, type Transport } from '../../../src/client/index.ts';
import { TestBrowser } from '../../support/browser.ts';
import { lastingPort } from '../../support/gateway-process.ts';
import { upTo } from '../../support/numbers.ts';
import { ProxyProcess } from '../../support/proxy-process.ts';
import { gatewayOfFile } from '../../support/sdk.ts';
import { newFolder } from '../../support/temporary.ts';

let folder: string;
let port: number;
let nginx: ProxyProcess;
const clients: SluiceClient[] = [];

/** Without a line about upgrades. uWebSockets.js upgrades a request that has a key, and nginx passes the key on. */
const plain = 'proxy_http_version 1.1;';
/** Of a proxy that knows nothing of WebSockets. */
const refusing = `${plain} proxy_set_header Sec-WebSocket-Key "";`;
const upgrading = `${plain} proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;`;
/** Does what a stream asks not to be done. nginx passes on what it has, though, as soon as there is no more. */
const buffering = `${refusing} proxy_ignore_headers X-Accel-Buffering; proxy_buffering on;`;
/** Would hold back what does not fill a block, but it compresses nothing that says its encoding. */
const compressing = `${buffering} gzip on; gzip_types *; gzip_proxied any; gzip_min_length 0;`;
/** Does not know that either. */
const holding = `${compressing} proxy_hide_header Content-Encoding;`;
/** As nginx does without a line about it. */
const oldest = '';

/** What nginx does in front of the gateway, with these lines about the proxy. */
const server = (lines: string) => `server { listen 127.0.0.1:${port};
  location / { proxy_pass http://127.0.0.1:${gateway.port}; proxy_set_header Host $http_host; ${lines} } }`;

const gateway = gatewayOfFile({ trustedProxies: ['127.0.0.1'], anonymous: true, apiKeys: ['k'.repeat(20)] });

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await nginx.end();
});

/** A stream is given up after this long, where nothing of it comes. Elsewhere a busy machine may take longer. */
const connectTimeoutMs = (lines: string) => (lines === holding ? 2_000 : 60_000);

async function behind(lines: string): Promise<void> {
  folder = newFolder();
  port = await lastingPort();
  nginx = await ProxyProcess.nginx(folder, server(lines), [port]);
}

async function proxied(lines: string) {
  await behind(lines);
  const client = new SluiceClient(`ws://127.0.0.1:${port}/ws`, {
    WebSocket,
    jitter: 'none',
    connectTimeoutMs: connectTimeoutMs(lines),
  });
  clients.push(client);
  const errors: string[] = [];
  const transports: Transport[] = [];
  client.onError(({ code }) => errors.push(code));
  client.onConnect(() => transports.push(client.getStatus().transport));
  return { client, errors, transports };
}

async function publish(topic: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await gateway.publish({ topic, data: i }, { 'x-api-key': 'k'.repeat(20) });
}

type Sdk = typeof import('../../../src/client/index.ts');

/** A page that nginx serves, whose client subscribes to the topic; what is in it is looked at by `seen`. */
async function openPage(browser: TestBrowser, lines: string, topic: string) {
  const { page } = await browser.open(`http://127.0.0.1:${port}/healthz`);
  await page.addScriptTag({ type: 'module', content: `globalThis.sdk = await import('/client.js')` });
  await page.waitForFunction(() => 'sdk' in globalThis);
  const asked = { topic, timeoutMs: connectTimeoutMs(lines) };
  await page.evaluate(({ topic, timeoutMs }) => {
    const seen = { state: '', transports: [] as string[], offsets: [] as number[], gaps: [] as unknown[] };
    const { sdk } = globalThis as typeof globalThis & { sdk: Sdk };
    const client = new sdk.SluiceClient('/ws', { jitter: 'none', connectTimeoutMs: timeoutMs });
    client.onError(() => undefined);
    client.onConnect(() => seen.transports.push(client.getStatus().transport));
    const subscription = client.subscribe(topic, {}, ({ offset }) => seen.offsets.push(offset));
    subscription.on('state', (state) => {
      seen.state = state;
    });
    subscription.on('gap', (gap) => seen.gaps.push(gap));
    void client.connect().catch(() => undefined);
    Object.assign(globalThis, { seen });
  }, asked);
  return () => page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
}

interface Seen {
  readonly state: string;
  readonly transports: string[];
  readonly offsets: number[];
  readonly gaps: unknown[];
}

describe('behind nginx', () => {
  it('of which only HTTP/1.1 is asked, a client has a WebSocket', async () => {
    const { client } = await proxied(plain);
    await client.connect();
    expect(client.getStatus().transport).toBe('websocket');
  });

  it('that does not upgrade, a client gets a stream, and a WebSocket when nginx learns to, without a gap', async () => {
    const { client, transports } = await proxied(refusing);
    const offsets: number[] = [];
    const subscription = client.subscribe('nginx', {}, ({ offset }) => offsets.push(offset));
    const gaps: unknown[] = [];
    subscription.on('gap', (gap) => gaps.push(gap));
    void client.connect().catch(() => undefined);
    await expect.poll(() => subscription.state).toBe('live');
    await publish('nginx', 10);
    await expect.poll(() => offsets).toEqual(upTo(10));
    expect(transports).toEqual(['sse']);
    await nginx.reload(folder, server(upgrading));
    await expect.poll(() => transports.at(-1)).toBe('websocket');
    await publish('nginx', 10);
    await expect.poll(() => offsets).toEqual(upTo(20));
    expect([transports, gaps]).toEqual([['sse', 'websocket'], []]);
  });

  it.each([
    ['buffers streams', buffering, 'sse'],
    ['compresses what it may', compressing, 'sse'],
    ['holds streams back', holding, 'poll'],
  ] as const)('that %s, a client gets everything all the same', async (does, lines, transport) => {
    const { client, transports } = await proxied(lines);
    const topic = `through-${does}`.replaceAll(' ', '-');
    const offsets: number[] = [];
    const gaps: unknown[] = [];
    const subscription = client.subscribe(topic, {}, ({ offset }) => offsets.push(offset));
    subscription.on('gap', (gap) => gaps.push(gap));
    void client.connect().catch(() => undefined);
    await expect.poll(() => subscription.state).toBe('live');
    await publish(topic, 10);
    await expect.poll(() => offsets).toEqual(upTo(10));
    expect([transports, gaps]).toEqual([[transport], []]);
  });

  it('a page in Chromium goes the same ways: a stream, a poll, and back to a WebSocket', async () => {
    const browser = await TestBrowser.launch();
    try {
      await behind(buffering);
      const streamed = await openPage(browser, buffering, 'page-sse');
      await expect.poll(async () => (await streamed()).state).toBe('live');
      await publish('page-sse', 10);
      await expect.poll(async () => (await streamed()).offsets).toEqual(upTo(10));
      await nginx.reload(folder, server(holding));
      const polled = await openPage(browser, holding, 'page-poll');
      await expect.poll(async () => (await polled()).state).toBe('live');
      await publish('page-poll', 10);
      await expect.poll(async () => (await polled()).offsets).toEqual(upTo(10));
      expect([await streamed(), await polled()]).toMatchObject([
        { transports: ['sse'], gaps: [] },
        { transports: ['poll'], gaps: [] },
      ]);
      await nginx.reload(folder, server(upgrading));
      await expect.poll(async () => (await polled()).transports.at(-1)).toBe('websocket');
      await publish('page-poll', 10);
      await expect.poll(async () => (await polled()).offsets).toEqual(upTo(20));
      expect((await polled()).gaps).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  it('as it comes, which speaks HTTP/1.0, a client names the cause', async () => {
    const { client, errors } = await proxied(oldest);
    await expect(client.connect()).rejects.toMatchObject({ code: 'http_version' });
    await expect.poll(() => errors).toContain('http_version');
  });
});
