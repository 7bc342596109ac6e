import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { moduleFile } from './support/command-line.ts';
import type { startGateway, TestGateway } from './support/gateway.ts';
import { HookServer, hookSecret } from './support/hook-server.ts';
import { type Frame, JsonClient } from './support/json-client.ts';
import { opened } from './support/opened.ts';
import { gatewayOfTest } from './support/sdk.ts';
import { newFile } from './support/temporary.ts';
import { signToken, tokenSecret } from './support/tokens.ts';

/**
 * What startServer reads from the configuration and no other test of a running gateway shows: each has its effect
 * outside.
 */

let gateway: TestGateway;

type Flags = Parameters<typeof startGateway>[0];

async function start(flags: Flags = {}, namespaces?: string): Promise<void> {
  gateway = await gatewayOfTest(flags, namespaces === undefined ? undefined : file(namespaces));
}

const file = (namespaces: string) => newFile('sluice.yaml', `namespaces: ${namespaces}\n`);

async function connect(): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl));
}

async function publish(topic: string, fields: Record<string, unknown> = {}): Promise<number> {
  const answer = await gateway.post('/api/publish', JSON.stringify({ topic, type: 'e', data: 1, ...fields }));
  return answer.status;
}

async function subscribe(
  client: JsonClient,
  ...subscriptions: Record<string, unknown>[]
): Promise<unknown[]> {
  const reply = await client.call({ type: 'subscribe', subscriptions });
  return (reply['results'] as (Frame & { error?: Frame })[]).map(({ error }) => error?.['code'] ?? 'ok');
}

const filter = { op: 'eq', tag: 'a', value: '1' };

describe('the limit of views', () => {
  it('is that of viewsMax', async () => {
    await start({ viewsMax: 1 });
    const codes = await subscribe(
      await connect(),
      { topic: 'a', filter },
      { topic: 'b' },
      { topic: 'c', filter },
    );
    expect(codes).toEqual(['ok', 'ok', 'too_many_views']);
  });
});

describe('a batch', () => {
  const sizes = (client: JsonClient) =>
    client.frames.filter(({ type }) => type === 'batch').map(({ messages }) => (messages as Frame[]).length);

  /** Publishes one by one until a batch has more than any batch of the default 5 ms could have. */
  async function collects(topic: string): Promise<void> {
    const client = await connect();
    await subscribe(client, { topic });
    while (!sizes(client).some((size) => size >= 20)) await publish(topic, { data: 'x'.repeat(200) });
    expect(Math.max(...sizes(client))).toBeLessThan(60);
  }

  it('waits for batchMaxDelayMs, or until it has batchMaxBytes', async () => {
    await start({ batchMaxDelayMs: 1000, batchMaxBytes: '8KiB', compressMinBytes: 0 });
    await collects('a');
  });

  it('takes both from the namespace where it says something else', async () => {
    await start({ compressMinBytes: 0 }, '{ slow: { batchMaxDelayMs: 1000, batchMaxBytes: 8192 } }');
    await collects('slow:a');
  });

  it('has the newest of each key only, where the namespace conflates', async () => {
    await start({}, '{ c: { conflate: true } }');
    const client = await connect();
    await subscribe(client, { topic: 'c:a' });
    const items = Array.from({ length: 100 }, (_, data) => ({ topic: 'c:a', key: 'k', data }));
    await gateway.publish(items);
    const batch = await client.until((frame) => frame['upto'] === 100);
    expect((batch['messages'] as Frame[]).map(({ data }) => data)).toEqual([99]);
  });
});

describe('a session that does not read', () => {
  /**
   * How many sessions lag that read nothing of these megabytes. The kernel buffers up to 6 MB of a connection over
   * loopback.
   */
  async function lagging(sessions: number, megabytes: number, flags: Flags): Promise<number> {
    await start({ topicHistoryMaxBytes: '64MiB', ...flags });
    for (let i = 0; i < sessions; i++) {
      const client = await connect();
      await subscribe(client, { topic: 'a' });
      client.socket.pause();
      onTestFinished(() => client.socket.terminate());
    }
    const item = JSON.stringify({ topic: 'a', data: 'x'.repeat(50_000) });
    for (let i = 0; i < megabytes; i++)
      await gateway.post('/api/publish/batch', `[${Array(20).fill(item).join()}]`);
    return gateway.metric('sluice_sessions_lagging_total');
  }

  it('lags from backpressureMaxBytes on', async () => {
    expect(await lagging(1, 14, {})).toBe(1);
  });

  it('does not lag below it', async () => {
    expect(await lagging(4, 14, { backpressureMaxBytes: '16MiB' })).toBe(0);
  });

  it('is ended when all together have backpressureTotalMaxBytes', async () => {
    const flags = { backpressureMaxBytes: '16MiB', backpressureTotalMaxBytes: '16MiB' };
    expect(await lagging(4, 14, flags)).toBe(0);
    await expect.poll(() => gateway.metric('sluice_connections')).toBeLessThan(4);
  });
});

describe('what the gateway does by itself', () => {
  it('ends the time to live of a key: its subscribers hear of it', async () => {
    await start({}, '{ s: { mode: state, ttlMs: 100 } }');
    const client = await connect();
    await subscribe(client, { topic: 's:a' });
    await publish('s:a', { key: 'k' });
    await client.until((frame) => JSON.stringify(frame).includes('"removed":true'));
  });

  it('publishes this machine’s metrics with sourceHost', async () => {
    await start({ sourceHost: true, sourceHostIntervalMs: 100 });
    const client = await connect();
    await subscribe(client, { topic: 'server:*' });
    const frame = await client.until(({ topic }) => String(topic).startsWith('server:'));
    expect(await client.count(String(frame['topic']), 2)).not.toHaveLength(0);
  });

  it('ends with it: a process that closes its gateway has nothing left that keeps it alive', async () => {
    const [config, { nodeArgs, path }] = [moduleFile('config'), moduleFile('server')];
    const program = `
      import { loadConfig } from '${pathToFileURL(config.path)}';
      import { startServer } from '${pathToFileURL(path)}';
      const flags = { port: 0, logLevel: 'silent', sourceHost: true };
      const server = await startServer(loadConfig({ flags }));
      await server.close();
      console.log('closed');`;
    const args = [...nodeArgs, '--input-type=module', '--eval', program];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const exit = once(child, 'exit');
    expect([await text(child.stdout), await exit]).toEqual(['closed\n', [0, null]]);
  });
});

describe('messageIdsMaxBytes', () => {
  it('is what all messageIds together may take', async () => {
    await start({ messageIdsMaxBytes: '8KiB' });
    const statuses: number[] = [];
    for (let i = 0; i < 129; i++) statuses.push(await publish('a', { messageId: `id-${i}` }));
    expect(statuses[0]).toBe(200);
    expect(statuses.at(-1)).toBe(429);
  });
});

describe('presenceMaxBytes', () => {
  it('is what the members of all topics may take, a quarter of it those of one session', async () => {
    await start({ presenceMaxBytes: '4KiB' }, '{ p: { presence: true } }');
    const codes = await subscribe(await connect(), ...['p:a', 'p:b', 'p:c'].map((topic) => ({ topic })));
    expect(codes).toEqual(['ok', 'ok', 'ok']);
    expect(await gateway.metric('sluice_presence_unlisted_total')).toBe(2);
  });
});

describe('readyLoopDelayMaxMs', () => {
  it('is how long the event loop of a ready gateway may be held up', async () => {
    await start({ readyLoopDelayMaxMs: 10 });
    const beganMs = performance.now();
    while (performance.now() - beganMs < 100);
    const readiness = async () => (await fetch(`${gateway.url}/readyz`)).text();
    await expect.poll(readiness).toMatch(/"eventLoop":"was held up for \d+ ms of late"/);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
  });
});

describe('hookConcurrency', () => {
  it('is how many questions of a hook are asked at a time', async () => {
    const hooks = await opened(HookServer.start());
    let asking = 0;
    let most = 0;
    let answerAll = (): void => undefined;
    const answered = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    hooks.answer = async () => {
      most = Math.max(most, ++asking);
      await answered;
      asking--;
      return { allow: true };
    };
    await start({
      hookPublish: hooks.url,
      hookSecret,
      hookConcurrency: 2,
      hookTimeoutMs: 60_000,
      tokenSecret,
    });
    const token = await signToken({ sub: 'alice', topics: [{ pattern: '*', allow: ['publish'] }] });
    const post = () =>
      gateway.post('/api/publish', '{"topic":"a","data":1}', { authorization: `Bearer ${token}` });
    const publishing = Promise.all(Array.from({ length: 4 }, post));
    await expect.poll(() => gateway.metric('sluice_hooks_waiting')).toBe(4);
    await expect.poll(() => asking).toBe(2);
    answerAll();
    expect((await publishing).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect([hooks.questions.length, most]).toEqual([4, 2]);
  });
});

describe('the limits of messages', () => {
  it('are told to each client, and hold by HTTP, too', async () => {
    const flags = { payloadMaxBytes: '2KiB', frameMaxBytes: '128KiB', bodyMaxBytes: '128KiB' };
    await start({ ...flags, subscriptionsPerSession: 2, commandsPerSecond: 77, idleTimeoutSeconds: 45 });
    expect((await connect()).frames[0]).toMatchObject({
      limits: {
        payloadMaxBytes: 2048,
        frameMaxBytes: 131_072,
        subscriptions: 2,
        commandsPerSecond: 77,
        idleTimeoutMs: 45_000,
      },
    });
    const codeOf = async (data: string) => {
      const answer = await gateway.post('/api/publish', JSON.stringify({ topic: 'a', data }));
      return ((await answer.json()) as { error?: { code: string } }).error?.code;
    };
    expect(await codeOf('x'.repeat(2000))).toBeUndefined();
    expect(await codeOf('x'.repeat(3000))).toBe('payload_too_large');
    expect(await codeOf('x'.repeat(140_000))).toBe('frame_too_large');
  });
});

describe('topicHistoryMaxAgeSeconds', () => {
  it('is the age from which on a publication is dropped', async () => {
    await start({ topicHistoryMaxAgeSeconds: 3600 }, '{ short: { topicHistoryMaxAgeSeconds: 1 } }');
    const held = async (topic: string) => {
      const answer = await fetch(`${gateway.url}/api/topics/${topic}/history`);
      return ((await answer.json()) as { messages: unknown[] }).messages.length;
    };
    await publish('long');
    await publish('short:a');
    expect(await held('short:a')).toBe(1);
    await expect.poll(() => held('short:a')).toBe(0);
    expect(await held('long')).toBe(1);
  });
});
