import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { loadConfig } from '../../../src/config.ts';
import { startServer } from '../../../src/server.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { type Frame, JsonClient } from '../../support/json-client.ts';
import { publishRequest, RawSocket } from '../../support/raw-socket.ts';
import { gatewayOfTest } from '../../support/sdk.ts';
import { newFile, newFolder } from '../../support/temporary.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = newFolder();
});

function start(more: Record<string, unknown> = {}, file?: string): Promise<TestGateway> {
  const flags = { engine: 'lmdb', dataDir, shutdownGraceSeconds: 0, ...more };
  return gatewayOfTest(flags, file);
}

const publish = (gateway: TestGateway, topic: string, data: unknown, key?: string) =>
  gateway.publish({ topic, type: 'update', data, key });

async function subscribe(client: JsonClient, subscription: Record<string, unknown>): Promise<Frame> {
  return client.call({ type: 'subscribe', subscriptions: [subscription] });
}

const dataOf = (frames: readonly Frame[]) => frames.map((frame) => frame['data']);

describe('a namespace with another mode after a restart', () => {
  const file = newFile('sluice.yaml', 'namespaces: { x: { mode: state } }\n');
  const startInStateMode = () => start({}, file);

  /** Has had everything of `x:a`, by its name and by a pattern. Returns where it would continue. */
  async function hadAll(gateway: TestGateway) {
    const client = await JsonClient.open(gateway.wsUrl);
    const topic = await subscribe(client, { topic: 'x:a' });
    const pattern = await subscribe(client, { topic: 'x:*' });
    const [{ epoch, offset }] = topic['results'] as [{ epoch: string; offset: number }];
    const [{ cursor }] = pattern['results'] as [{ cursor: string }];
    await client.close();
    return { since: { topic: 'x:a', since: { epoch, offset } }, cursor: { topic: 'x:*', cursor } };
  }

  test.each(['since', 'cursor'] as const)(
    'gives all values of a state topic to a client that continues by %s',
    async (by) => {
      const first = await start();
      await publish(first, 'x:a', 1, 'k1');
      await publish(first, 'x:a', 2, 'k2');
      const known = await hadAll(first);
      await first.close();
      const client = await JsonClient.open((await startInStateMode()).wsUrl);
      await subscribe(client, known[by]);
      const snapshot = await client.until(({ type }) => type === 'snapshot');
      expect(dataOf(snapshot['messages'] as Frame[])).toEqual([1, 2]);
    },
  );

  test.each(['since', 'cursor'] as const)(
    'tells a client of a state topic that continues by %s that it may have lost something',
    async (by) => {
      const first = await startInStateMode();
      await publish(first, 'x:a', 1, 'k1');
      const known = await hadAll(first);
      await first.close();
      const second = await start();
      const client = await JsonClient.open(second.wsUrl);
      const reply = await subscribe(client, known[by]);
      expect(reply['results']).toMatchObject([{ recovered: false }]);
      await publish(second, 'x:a', 2, 'k1');
      await client.until(({ data }) => data === 2);
    },
  );
});

describe('a gateway on lmdb', () => {
  test('goes on after a restart where it was: history, recovery, state, patterns, lists', async () => {
    const first = await start();
    const position = await publish(first, 'stats', 1);
    await publish(first, 'stats', 2);
    await publish(first, 'server:a', 'old', 'cpu');
    await publish(first, 'server:a', 'new', 'cpu');
    await publish(first, 'server:b', 'b', 'cpu');
    await first.close();

    const gateway = await start();
    const client = await JsonClient.open(gateway.wsUrl);
    const reply = await subscribe(client, { topic: 'stats', since: position });
    expect(JSON.stringify(reply)).toContain('"recovered":true');
    expect(dataOf(await client.count('stats', 1))).toEqual([2]);
    await publish(gateway, 'stats', 3);
    expect(dataOf(await client.count('stats', 2))).toEqual([2, 3]);

    const pattern = await subscribe(client, { topic: 'server:*' });
    expect(JSON.stringify(pattern)).toMatch(/"server:a".*"server:b"|"server:b".*"server:a"/);
    const snapshot = await client.until(
      (frame) => frame.type === 'snapshot' && frame['topic'] === 'server:a',
    );
    expect(dataOf(snapshot['messages'] as Frame[])).toEqual(['new']);

    const list = (await (await fetch(`${gateway.url}/api/topics`)).json()) as { topics: { topic: string }[] };
    expect(list.topics.map(({ topic }) => topic)).toEqual(['server:a', 'server:b', 'stats']);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    await client.close();
  });

  test('that loses its file tells its clients, and those that connect afterwards', async () => {
    const gateway = await start();
    const client = await JsonClient.open(gateway.wsUrl);
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    rmSync(join(dataDir, 'data.mdb'));
    await gateway.post('/api/publish', JSON.stringify({ topic: 'stats', type: 'update', data: 1 }));
    expect(await client.until(({ type }) => type === 'gatewayState')).toMatchObject({ degraded: true });
    const late = await JsonClient.open(gateway.wsUrl);
    expect(late.frames[0]).toMatchObject({ type: 'connected', degraded: true });
    warned.mockRestore();
    await Promise.all([client.close(), late.close()]);
  });

  test('a client that knew a topic as empty is told, after a restart, what is gone', async () => {
    const first = await start({ topicHistoryMaxPublications: 10 });
    const many = Array.from({ length: 60 }, (_, data) => ({ topic: 'feed:1', type: 'update', data }));
    await first.publish(many);
    await first.close();

    const gateway = await start({ topicHistoryMaxPublications: 10 });
    const client = await JsonClient.open(gateway.wsUrl);
    const reply = await subscribe(client, { topic: 'feed:1', since: { epoch: '', offset: 0 } });
    expect(reply).toMatchObject({ results: [{ recovered: false, missing: { after: 0, upto: 50 } }] });
    expect((await client.count('feed:1', 10)).map((frame) => frame['offset'])).toEqual(
      Array.from({ length: 10 }, (_, i) => 51 + i),
    );
    await client.close();
  });

  test('holds the limit of topics while publishes are under way', async () => {
    const gateway = await start({ topicsMax: 3 });
    const names = ['a', 'b', 'a', 'c', 'd', 'e', 'a'];
    const bodies = names.map((topic) => JSON.stringify({ topic, type: 'update', data: 1 }));
    const responses = await Promise.all(bodies.map((body) => gateway.post('/api/publish', body)));
    const accepted = names.filter((_, i) => responses[i]?.status === 200);
    expect(new Set(accepted).size).toBe(3);
    const { topics } = (await (await fetch(`${gateway.url}/api/topics`)).json()) as { topics: unknown[] };
    expect([topics.length, await gateway.metric('sluice_topics')]).toEqual([3, 3]);
  });

  test('ends a connection that sends requests ahead: what was begun is committed once, the rest never', async () => {
    const gateway = await start();
    const raw = await RawSocket.open(gateway.port);
    const bodies = ['a', 'b', 'c'].map((messageId) => JSON.stringify({ topic: 'ahead', messageId }));
    await raw.send(bodies.map((body) => publishRequest(body)).join(''));
    await raw.end();
    expect(raw.text).toBe('');
    // What RFC 9112 (9.3.2) tells a client to do then: send again what had no answer.
    const again: unknown[] = [];
    for (const body of bodies) again.push(await (await gateway.post('/api/publish', body)).json());
    expect(again).toMatchObject([{ offset: 1, duplicate: true }, { offset: 2 }, { offset: 3 }]);
    expect(again.slice(1).some((answer) => 'duplicate' in (answer as object))).toBe(false);
  });

  test('that is stopped while it starts leaves its data folder in order, for the next one', async () => {
    const first = await start();
    const position = await publish(first, 'stats', 1);
    await first.close();
    const signal = AbortSignal.abort();
    const flags = { engine: 'lmdb', dataDir, port: 0, logLevel: 'silent' };
    await expect(startServer(loadConfig({ flags }), { signal })).rejects.toBe(signal.reason);
    const marker = readFileSync(join(dataDir, 'sluice.json'), 'utf8');
    expect(JSON.parse(marker)).toMatchObject({ clean: true });
    expect(await publish(await start(), 'stats', 2)).toEqual({ ...position, offset: 2 });
  });

  test('gives its data folder back when it can’t listen', async () => {
    const other = await gatewayOfTest();
    await expect(start({ port: other.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await start();
  });

  test('does not start on the data folder of another, and says so', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({
      code: 'ERR_DATA_DIR_IN_USE',
      message: expect.stringContaining(dataDir),
    });
  });

  test('refuses --sync for an engine without a disk', async () => {
    await expect(start({ engine: 'memory', sync: true })).rejects.toMatchObject({
      faults: ['sync is for the engine lmdb, not memory'],
    });
  });
});
