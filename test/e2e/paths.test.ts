import { describe, expect, it } from 'vitest';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { gatewayOfFile } from '../support/sdk.ts';

const gateway = gatewayOfFile();

const url = (path: string) => gateway.wsUrl.replace(/\/ws$/, path);

async function publish(topic: string, data: unknown, key?: string): Promise<void> {
  await gateway.post('/api/publish', JSON.stringify({ topic, type: 'e', data, key }));
}

/** What the gateway told of the subscription that the path asked for. */
async function subscribedTo(client: JsonClient, topic: string): Promise<Frame> {
  const results = (frame: Frame) => (frame['results'] ?? []) as Frame[];
  const frame = await client.until((each) => results(each).some((result) => result['topic'] === topic));
  expect(frame).not.toHaveProperty('id');
  return results(frame).find((result) => result['topic'] === topic) as Frame;
}

function connect(path: string): Promise<JsonClient> {
  return opened(JsonClient.open(url(path)));
}

describe('the path of a WebSocket', () => {
  it('subscribes to its topic at once', async () => {
    const client = await connect('/ws/stats');
    expect(await subscribedTo(client, 'stats')).toMatchObject({ mode: 'stream' });
    await publish('stats', 1);
    expect(await client.count('stats', 1)).toMatchObject([{ data: 1, offset: 1 }]);
  });

  it('takes a topic of any characters, percent-encoded as one segment', async () => {
    for (const topic of ['a/b', 'job:42', 'user-list', 'a%20b', 'x.y:z@1', 'monitoring']) {
      const client = await connect(`/ws/${encodeURIComponent(topic)}`);
      await subscribedTo(client, topic);
      await publish(topic, topic);
      expect((await client.count(topic, 1))[0]?.['data']).toBe(topic);
    }
  });

  it('takes a pattern', async () => {
    const client = await connect('/ws/fleet:*');
    await subscribedTo(client, 'fleet:*');
    await publish('fleet:1', 1);
    expect(await client.count('fleet:1', 1)).toMatchObject([{ data: 1, epoch: expect.any(String) }]);
  });

  it('of a server’s monitoring subscribes to the server, snapshot first', async () => {
    await publish('server:web-01', 1, 'cpu');
    const client = await connect('/ws/monitoring/web-01');
    expect(await subscribedTo(client, 'server:web-01')).toMatchObject({ mode: 'state', offset: 1 });
    const snapshot = await client.until(({ type }) => type === 'snapshot');
    expect(snapshot).toMatchObject({
      topic: 'server:web-01',
      offset: 1,
      messages: [{ key: 'cpu', data: 1 }],
    });
    await publish('server:web-01', 2, 'cpu');
    expect(await client.count('server:web-01', 1)).toMatchObject([{ key: 'cpu', data: 2, offset: 2 }]);
  });

  it('does so in protobuf too', async () => {
    const client = await opened(ProtobufClient.open(url('/ws/proto')));
    const frame = await client.until(
      (each) => each.kind === 'subscribed' && each.results.some(({ topic }) => topic === 'proto'),
    );
    const view = frame.kind === 'subscribed' ? (frame.results[0] as { view: number }).view : 0;
    await publish('proto', 1);
    expect(await client.count(view, 1)).toMatchObject([{ offset: 1 }]);
  });

  it('that says nothing subscribes to nothing', async () => {
    for (const path of ['/ws', '/ws/']) {
      const client = await connect(path);
      const { subscriptions } = (await client.call({ type: 'status' })) as unknown as {
        subscriptions: { topic: string }[];
      };
      expect(subscriptions.map(({ topic }) => topic)).toEqual(['$all']);
    }
  });

  it('that can be no topic is refused before the upgrade', async () => {
    const table: [string, number, string][] = [
      ['/ws/a/b', 404, 'not_found'],
      ['/ws/monitoring/a/b', 404, 'not_found'],
      ['/ws/%ff', 400, 'invalid_topic'],
      ['/ws/%', 400, 'invalid_topic'],
      ['/ws/with%20space', 400, 'invalid_topic'],
      ['/ws/..%2Fsecret', 400, 'invalid_topic'],
      [`/ws/${'x'.repeat(201)}`, 400, 'invalid_topic'],
    ];
    for (const [path, status, code] of table) {
      const socket = await RawSocket.open(gateway.port);
      await socket.send(upgradeRequest({ path }));
      const answer = await socket.answer();
      expect(answer.status, path).toBe(status);
      expect(JSON.parse(answer.body), path).toMatchObject({ error: { code } });
      socket.kill();
    }
    const told = await fetch(`${gateway.url}/ws/a/b`);
    expect(told.status).toBe(404);
  });
});
