import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fetchOwn } from '../src/cli/own-fetch.ts';
import {
  ConfigError,
  createGateway,
  type Gateway,
  type GatewayEventName,
  SluiceError,
} from '../src/index.ts';
import { makeCertificate } from './support/certificate.ts';
import { HookServer, hookSecret } from './support/hook-server.ts';
import { JsonClient } from './support/json-client.ts';
import { newFolder } from './support/temporary.ts';
import { signToken, tokenSecret } from './support/tokens.ts';

const quiet = { port: 0, logLevel: 'silent', canary: false, shutdownGraceSeconds: 1 } as const;

function codeOf(error: unknown): string {
  return (error as { readonly code: string }).code;
}

describe('the options of an embedded gateway', () => {
  it('are refused together, each by its name', () => {
    const options = {
      ...quiet,
      port: 70_000,
      engine: 'oracle',
      maxConections: 5,
      namespaces: { a: { mode: 'x' } },
    };
    const create = () => createGateway(options as never);
    expect(create).toThrow(ConfigError);
    expect(create).toThrow(/port in the options: .*70000/);
    expect(create).toThrow(/engine in the options/);
    expect(create).toThrow(/maxConections in the options: is no option/);
    expect(create).toThrow(/namespaces\.a\.mode in the options/);
  });

  it.each([
    null,
    { apiKeys: null },
    { namespaces: null },
    { hooks: null },
    { hooks: { authorize: null } },
    { hooks: { call: undefined } },
    { connectionsMax: null },
  ])('that are null are not given: %j', (none) => {
    expect(() => createGateway(none as never)).not.toThrow();
  });

  it('never show a secret in a fault', () => {
    expect(() => createGateway({ ...quiet, tokenSecret: 'too-short-secret' })).not.toThrow(
      /too-short-secret/,
    );
    expect(() => createGateway({ ...quiet, tokenSecret: 'too-short-secret' })).toThrow(/tokenSecret/);
  });

  it('come from nowhere else: neither variables nor files are read', async () => {
    process.env['SLUICE_PORT'] = 'wrong';
    onTestFinished(() => {
      delete process.env['SLUICE_PORT'];
    });
    expect(() => createGateway(quiet)).not.toThrow();
  });
});

describe('the life of an embedded gateway', () => {
  it('begins with listen, once, and ends with close for good', async () => {
    const gateway = createGateway(quiet);
    expect(() => gateway.port).toThrow(expect.objectContaining({ code: 'ERR_GATEWAY_STATE' }));
    expect(await gateway.publish('a', 't').catch(codeOf)).toBe('ERR_GATEWAY_STATE');
    await Promise.all([gateway.listen(), gateway.listen()]);
    expect((await fetch(`http://127.0.0.1:${gateway.port}/readyz`)).status).toBe(200);
    const { port } = gateway;
    await Promise.all([gateway.close(), gateway.close()]);
    await expect(fetch(`http://127.0.0.1:${port}/readyz`)).rejects.toThrow();
    expect(await gateway.listen().catch(codeOf)).toBe('ERR_GATEWAY_STATE');
    expect(await gateway.publish('a', 't').catch(codeOf)).toBe('ERR_GATEWAY_STATE');
  });

  it('tells all addresses where it is reached, and no others', async () => {
    const folder = newFolder();
    const { cert, key } = makeCertificate(folder, 'embedded');
    const unixSocket = join(folder, 'gateway.sock');
    const apiKey = 'of-the-clients-of-the-unix-socket';
    const gateway = createGateway({
      ...quiet,
      apiKeys: [apiKey],
      tlsCertFile: cert,
      tlsKeyFile: key,
      unixSocket,
      adminPort: 0,
      proxyPort: 0,
      trustedProxies: '127.0.0.2',
    });
    onTestFinished(() => gateway.close());
    expect(() => gateway.addresses).toThrow(expect.objectContaining({ code: 'ERR_GATEWAY_STATE' }));
    await gateway.listen();
    const { addresses, port } = gateway;
    expect(Object.keys(addresses).sort()).toEqual(['adminUrl', 'proxyUrl', 'unixSocket', 'url']);
    expect(addresses.url).toBe(`https://127.0.0.1:${port}`);
    expect((await fetchOwn(`${addresses.url}/healthz`)).status).toBe(200);
    const headers = { 'x-api-key': apiKey };
    expect((await fetch(`${addresses.adminUrl}/metrics`, { headers })).status).toBe(200);
    const client = await JsonClient.open(`ws+unix://${addresses.unixSocket}:/ws`, [], { headers });
    await client.close();
  });

  it('may be tried again where the port was taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { readonly port: number };
    const gateway = createGateway({ ...quiet, port });
    onTestFinished(() => gateway.close());
    await expect(gateway.listen()).rejects.toThrow();
    await new Promise((resolve) => other.close(resolve));
    await gateway.listen();
    expect(gateway.port).toBe(port);
  });

  it('may end before it began, and while it begins', async () => {
    const gateway = createGateway(quiet);
    await gateway.close();
    const folder = newFolder();
    const starting = createGateway({ ...quiet, engine: 'lmdb', dataDir: folder });
    const listening = starting.listen().then(() => 'listened', codeOf);
    await starting.close();
    expect(['listened', 'ERR_GATEWAY_STATE']).toContain(await listening);
    // The folder is free again.
    const next = createGateway({ ...quiet, engine: 'lmdb', dataDir: folder });
    await next.listen();
    await next.close();
  });
});

describe('an embedded gateway', () => {
  let gateway: Gateway;
  const told: (readonly [GatewayEventName, Readonly<Record<string, unknown>>])[] = [];
  const stops: (() => void)[] = [];

  beforeAll(async () => {
    gateway = createGateway({ ...quiet, canary: true, tokenSecret, anonymous: true });
    // Neither harms the gateway or the listeners after it.
    gateway.on('connect', () => {
      throw new Error('a listener that throws');
    });
    gateway.on('subscribe', async () => {
      throw new Error('a listener that rejects');
    });
    for (const name of ['connect', 'subscribe', 'unsubscribe', 'disconnect'] as const)
      stops.push(gateway.on(name, (event) => told.push([name, { ...event }])));
    await gateway.listen();
  });
  afterAll(() => gateway.close());

  const url = () => `ws://127.0.0.1:${gateway.port}/ws`;

  async function connections(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${gateway.port}/metrics`)).text();
    return Number(/^sluice_connections\{transport="websocket"\} (\d+)$/m.exec(text)?.[1]);
  }

  async function connect(credential?: string): Promise<JsonClient> {
    const client = await JsonClient.open(credential ? `${url()}?token=${credential}` : url());
    onTestFinished(() => client.close());
    return client;
  }

  it('publishes to its subscribers, and returns the position of each publication', async () => {
    const client = await connect();
    await client.call({ type: 'subscribe', topic: 'news' });
    const options = { key: 'k', tags: { a: '1' }, timestamp: new Date(0) };
    const { epoch, offset } = await gateway.publish('news', 'created', { n: 1 }, options);
    expect([typeof epoch, offset]).toEqual(['string', 1]);
    const frame = await client.until(({ topic, offset: at }) => topic === 'news' && at === 1);
    expect(frame).toMatchObject({
      type: 'created',
      data: { n: 1 },
      timestamp: '1970-01-01T00:00:00.000Z',
      key: 'k',
    });
    await gateway.publish('news', 'bytes', new Uint8Array([1, 2]));
    expect(await client.until(({ offset: at }) => at === 2)).toMatchObject({ dataBase64: 'AQI=' });
    const first = await gateway.publish('news', 'once', 1, { messageId: 'm' });
    expect(await gateway.publish('news', 'once', 1, { messageId: 'm' })).toEqual({
      ...first,
      duplicate: true,
    });
    await gateway.broadcast('hello', 'all');
    expect(await client.until(({ type }) => type === 'hello')).toMatchObject({ topic: '$all', data: 'all' });
  });

  it('refuses what HTTP would refuse, with its code', async () => {
    const refused = async (...args: Parameters<Gateway['publish']>) => {
      const error = await gateway.publish(...args).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SluiceError);
      expect((error as Error).stack).toContain('gateway.test.ts');
      return codeOf(error);
    };
    expect(await refused('bad topic', 't')).toBe('invalid_topic');
    expect(await refused('$all', 't')).toBe('invalid_topic');
    expect(await refused('a', 'subscribed')).toBe('invalid_type');
    expect(await refused('a', 't', Number.NaN)).toBe('invalid_request');
    expect(await refused('a', 't', 1, { tags: 5 } as never)).toBe('invalid_request');
    expect(await refused('a', 't', 1, { colour: 'red' } as never)).toBe('invalid_request');
    expect(await refused(5 as never, 't')).toBe('invalid_request');
    expect(await refused('a', 't', 'x'.repeat(65_537))).toBe('payload_too_large');
  });

  it('tells what became of each publication of a batch', async () => {
    const outcomes = await gateway.publishBatch([
      { topic: 'batch', type: 't', data: 1 },
      { topic: 'bad topic', type: 't' },
      { topic: 'batch', type: 't', data: 2 },
    ]);
    expect(outcomes.map((each) => (each.ok ? each.offset : each.error.code))).toEqual([
      1,
      'invalid_topic',
      2,
    ]);
    expect(await gateway.publishBatch([])).toEqual([]);
  });

  it('tells what sessions do, in order, without its own', async () => {
    // The canary, and no client that is left.
    await expect.poll(connections).toBe(1);
    expect(told.filter(([, { topic }]) => String(topic).startsWith('$'))).toEqual([]);
    told.length = 0;
    const client = await connect(
      await signToken({ sub: 'alice', topics: [{ pattern: '*', allow: ['subscribe'] }] }),
    );
    await client.call({ type: 'subscribe', topic: 'a' });
    await client.call({ type: 'subscribe', topic: 'b:*', filter: { op: 'eq', tag: 'x', value: '1' } });
    await client.call({ type: 'unsubscribe', topics: ['a'] });
    await client.close();
    await expect.poll(() => told.at(-1)?.[0]).toBe('disconnect');
    expect(told.map(([name, { topic, reason }]) => [name, topic, reason])).toEqual([
      ['connect', undefined, undefined],
      ['subscribe', 'a', undefined],
      ['subscribe', 'b:*', undefined],
      ['unsubscribe', 'a', 'client'],
      ['unsubscribe', 'b:*', 'disconnect'],
      ['disconnect', undefined, 'client'],
    ]);
    const session = told[0]?.[1]['session'];
    for (const [, event] of told)
      expect(event).toMatchObject({ session, user: 'alice', address: '127.0.0.1' });
    for (const [, event] of told) expect(event['transport']).toBe('websocket');
  });

  it('lets listeners call it, and stop', async () => {
    const heard: unknown[] = [];
    const stop = gateway.on('subscribe', async ({ topic }) => {
      if (topic === 'asked') heard.push(await gateway.publish('asked', 'welcome', topic));
    });
    const client = await connect();
    await client.call({ type: 'subscribe', topic: 'asked' });
    expect(await client.until(({ type }) => type === 'welcome')).toMatchObject({ data: 'asked' });
    stop();
    await client.call({ type: 'unsubscribe', topics: ['asked'] });
    await client.call({ type: 'subscribe', topic: 'asked' });
    await gateway.publish('asked', 'last');
    await client.until(({ type }) => type === 'last');
    expect(heard).toHaveLength(1);
  });

  it('refuses to listen for what does not happen', () => {
    expect(() => gateway.on('conect' as never, () => undefined)).toThrow(/there is no event conect/);
    expect(() => gateway.on('connect', undefined as never)).toThrow(TypeError);
  });
});

describe('the hooks of an embedded gateway', () => {
  it('are functions that answer as URLs do, beside handlers of calls by name', async () => {
    const asked: unknown[] = [];
    const gateway = createGateway({
      ...quiet,
      hookTimeoutMs: 200,
      hookHeaders: ['cookie'],
      hooks: {
        connect: async ({ headers }) => ({ allow: true, user: headers['cookie'], topics: undefined }),
        subscribe: ({ client, subscriptions }) => ({
          results: subscriptions.map(({ topic }) =>
            topic === client.user ? { allow: true } : { allow: false, reason: 'not yours' },
          ),
        }),
        publish: ({ publications }) => {
          asked.push(...publications);
          return new Promise(() => undefined);
        },
        call: ({ method }) => {
          if (method === 'refuses') throw new SluiceError('not_found', 'not that');
          if (method === 'throws') throw new Error('a fault of the application');
          return { data: { method } };
        },
      },
    });
    const remove = gateway.handle('double', ({ data }) => (data as number) * 2);
    gateway.handle('refuse', () => {
      throw new SluiceError('denied', 'not now');
    });
    expect(() => gateway.handle('double', () => 1)).toThrow(/has a handler already/);
    await gateway.listen();
    onTestFinished(() => gateway.close());
    const client = await JsonClient.open(`ws://127.0.0.1:${gateway.port}/ws`, [], {
      headers: { cookie: 'bob' },
    });
    const subscribed = await client.call({
      type: 'subscribe',
      subscriptions: [{ topic: 'bob' }, { topic: 'b' }],
    });
    expect(subscribed['results']).toMatchObject([
      { view: expect.any(Number) },
      { error: { code: 'denied', message: 'not yours' } },
    ]);
    const call = (method: string, data?: unknown) => client.call({ type: 'call', method, data });
    expect(await call('double', 21)).toMatchObject({ type: 'result', data: 42 });
    expect(await call('refuse')).toMatchObject({ code: 'denied', message: 'not now' });
    expect(await call('refuses')).toMatchObject({ code: 'not_found', message: 'not that' });
    expect(await call('throws')).toMatchObject({ code: 'application_unavailable' });
    remove();
    expect(await call('double', 21)).toMatchObject({ data: { method: 'double' } });
    expect(await client.call({ type: 'publish', topic: 'a', event: 't', data: { n: 1 } })).toMatchObject({
      code: 'application_unavailable',
    });
    expect(asked).toMatchObject([{ topic: 'a', type: 't', data: { n: 1 } }]);
    await gateway.publish('a', 't');
    await client.close();
  });

  it('are told as a failure where an answer cannot be carried, and may answer with bytes', async () => {
    const gateway = createGateway({ ...quiet, payloadMaxBytes: 1024 });
    gateway.handle('bytes', () => new Uint8Array([0, 255]));
    gateway.handle('nothing', () => undefined);
    gateway.handle('no JSON', () => 1n);
    gateway.handle('fits', () => 'x'.repeat(1022));
    gateway.handle('too large', () => 'x'.repeat(1023));
    await gateway.listen();
    onTestFinished(() => gateway.close());
    const client = await JsonClient.open(`ws://127.0.0.1:${gateway.port}/ws`);
    const call = (method: string) => client.call({ type: 'call', method });
    expect(await call('bytes')).toMatchObject({ type: 'result', dataBase64: 'AP8=' });
    expect(await call('nothing')).toMatchObject({ type: 'result', data: null });
    expect(await call('fits')).toMatchObject({ type: 'result', data: 'x'.repeat(1022) });
    for (const method of ['no JSON', 'too large'])
      expect(await call(method)).toMatchObject({ type: 'error', code: 'application_unavailable' });
    await client.close();
  });

  it('hear of sessions beside an application that is told by a URL', async () => {
    const hooks = await HookServer.start();
    onTestFinished(() => hooks.close());
    hooks.answer = () => ({});
    const gateway = createGateway({ ...quiet, hookEvents: hooks.url, hookSecret });
    const heard: string[] = [];
    for (const name of ['connect', 'subscribe', 'unsubscribe', 'disconnect'] as const)
      gateway.on(name, () => heard.push(name));
    await gateway.listen();
    onTestFinished(() => gateway.close());
    const client = await JsonClient.open(`ws://127.0.0.1:${gateway.port}/ws`);
    await client.call({ type: 'subscribe', topic: 'a' });
    await client.call({ type: 'unsubscribe', topics: ['a'] });
    await client.close();
    await expect.poll(() => heard).toEqual(['connect', 'subscribe', 'unsubscribe', 'disconnect']);
    const told = () =>
      hooks.questions
        .flatMap(({ events = [] }) => (events as { type: string }[]).map(({ type }) => type))
        .filter((type) => type !== 'occupied' && type !== 'vacated' && type !== 'resync');
    await expect.poll(told).toEqual(['connected', 'subscribed', 'unsubscribed', 'disconnected']);
  });

  it('are refused where they are none, or where a URL answers, too', () => {
    const create = (options: object) => () => createGateway({ ...quiet, ...options } as never);
    expect(create({ hooks: { conect: () => ({ allow: true }) } })).toThrow(/hooks\.conect/);
    expect(create({ hooks: { call: 'http://a' } })).toThrow(/hooks\.call: must be a function/);
    const url = { hookCall: 'http://127.0.0.1/', hookSecret: 'x'.repeat(32) };
    expect(create({ ...url, hooks: { call: () => ({ data: 1 }) } })).toThrow(/two answers/);
    expect(create({ hookCall: 'http://127.0.0.1/' })).toThrow(/hookCall needs hookSecret/);
    expect(create({ hookCall: 'http://user:word@127.0.0.1/' })).toThrow(/hookCall/);
  });
});
