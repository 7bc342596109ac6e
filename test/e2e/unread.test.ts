import { describe, expect, it, onTestFinished } from 'vitest';
import type { startGateway, TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { Witness } from '../support/witness.ts';

let gateway: TestGateway;

async function start(flags: Parameters<typeof startGateway>[0] = {}): Promise<void> {
  gateway = await gatewayOfTest(flags);
}

async function publish(topic: string, count: number, bytes: number): Promise<void> {
  const item = JSON.stringify({ topic, data: 'x'.repeat(bytes) });
  for (let i = 0; i < count; i += 100) {
    const items = Array(Math.min(100, count - i)).fill(item);
    expect((await gateway.post('/api/publish/batch', `[${items.join()}]`)).status).toBe(200);
  }
}

describe('a page of history', () => {
  it('has at most 1000 publications, and says that there are more', async () => {
    await start({ topicHistoryMaxPublications: 3000 });
    await publish('long', 3000, 1);
    const client = await opened(JsonClient.open(gateway.wsUrl));
    const page = await client.call({ type: 'history', topic: 'long', limit: 5000 });
    expect(page).toMatchObject({ after: 0, upto: 1000, more: true });
    expect(page['messages']).toHaveLength(1000);
  });

  it('ends with the publication that makes it 256 KiB large, and goes on there', async () => {
    await start();
    await publish('large', 14, 60_000);
    const client = await opened(JsonClient.open(gateway.wsUrl));
    const offsets: unknown[] = [];
    for (let after = 0; ; ) {
      const page = await client.call({ type: 'history', topic: 'large', after, limit: 1000 });
      offsets.push(page['upto']);
      if (page['more'] !== true) break;
      after = page['upto'] as number;
    }
    expect(offsets).toEqual([5, 10, 14]);
  });

  it('ends at 1 MiB over HTTP', async () => {
    await start({ topicHistoryMaxBytes: '4MiB' });
    await publish('large', 30, 60_000);
    const answer = await fetch(`${gateway.url}/api/topics/large/history?after=0&limit=1000`);
    expect(await answer.json()).toMatchObject({ after: 0, upto: 18, more: true });
  });
});

/** As many commands as a session may send at once: none is refused, however fast they come. */
const commandIds = Array.from({ length: 100 }, (_, i) => i + 1);

describe('clients that stop reading', () => {
  it('have no pages made for them, what waits for them is counted, and they get it all once they read', async () => {
    await start();
    await publish('stats', 16, 65_000);
    const witness = await opened(Witness.open(gateway));
    const before = process.memoryUsage().rss;
    const clients = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const client = await JsonClient.open(gateway.wsUrl);
        onTestFinished(() => client.socket.terminate());
        client.socket.pause();
        for (const id of commandIds) {
          client.socket.send(JSON.stringify({ type: 'history', id, topic: 'stats', limit: 1000 }));
        }
        return client;
      }),
    );
    // How much of the last page of each the kernel has taken is its own affair.
    await expect.poll(() => gateway.metric('sluice_backpressure_bytes')).toBeGreaterThan(0);
    await witness.missedNothing();
    expect(await gateway.metric('sluice_backpressure_bytes')).toBeLessThan(10 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
    const [client] = clients as [JsonClient];
    client.socket.resume();
    await client.until(({ id }) => id === commandIds.at(-1));
    const replies = client.frames.filter(({ id }) => id !== undefined);
    expect(replies.map(({ type, id }) => [type, id])).toEqual(commandIds.map((id) => ['history', id]));
  });
});
