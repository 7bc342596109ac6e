import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { SluiceClient } from '../../src/client/index.ts';
import { JsonClient } from '../../src/client/json/index.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { gatewayOfFile } from '../support/sdk.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

const gateway = gatewayOfFile({ tokenSecret });

type Client = SluiceClient | JsonClient;

const sdks = {
  websocket: (url: string, token: string) => sdk(url, token, 'websocket'),
  sse: (url: string, token: string) => sdk(url, token, 'sse'),
  poll: (url: string, token: string) => sdk(url, token, 'poll'),
};
const clients: Readonly<Record<string, (url: string, token: string) => Client>> = {
  ...sdks,
  JsonClient: (url, token) => {
    const client = new JsonClient(url, { WebSocket, token });
    client.on('error', () => undefined);
    return client;
  },
};

function sdk(url: string, token: string, transport: 'websocket' | 'sse' | 'poll'): SluiceClient {
  const client = new SluiceClient(url, { WebSocket, transports: [transport], token });
  client.onError(() => undefined);
  return client;
}

async function userOf<C extends Client>(name: string, open: (url: string, token: string) => C) {
  const topic = `user:${name}`;
  const token = await signToken({ sub: name });

  async function notify(data: string): Promise<void> {
    const answer = await gateway.post(`/api/users/${name}/notify`, JSON.stringify({ data }));
    expect(answer.status).toBe(200);
  }

  function clientAt(url: string): C {
    const client = open(url, token);
    onTestFinished(() => client.close());
    return client;
  }

  /** A device whose application listens from the beginning, and what it has had. */
  async function device(url = gateway.wsUrl): Promise<{ client: C; had: unknown[] }> {
    const client = clientAt(url);
    const had: unknown[] = [];
    client.subscribe(topic, {}, ({ data }) => had.push(data));
    await client.connect();
    return { client, had };
  }

  /** What a device is given that the user has never had before. */
  async function given(): Promise<unknown[]> {
    const { client, had } = await device();
    await notify('mark');
    await expect.poll(() => had).toContain('mark');
    client.close();
    return had;
  }

  /** Up to which offset the gateway knows that the user has had it: a client that says nothing begins there. */
  async function acknowledged(): Promise<number> {
    const client = await ProtobufClient.open(`${gateway.wsUrl}?token=${token}`);
    const { results } = await client.kind('subscribed');
    client.socket.terminate();
    const own = results.find((result) => result.topic === topic);
    if (own === undefined || 'error' in own) throw new Error('it was not subscribed');
    return own.offset;
  }

  return { topic, notify, clientAt, device, given, acknowledged };
}

describe.each(Object.entries(clients))('devices of one user, by %s', (transport, open) => {
  it('do not miss what was on its way when the network died, and do not get again what one has shown', async () => {
    const { device, notify, given, acknowledged } = await userOf(`in-flight-${transport}`, open);
    const proxy = await opened(CuttingProxy.open(gateway.url));
    const first = await device(proxy.wsUrl);
    await notify('seen');
    await expect.poll(() => first.had).toEqual(['seen']);
    await expect.poll(acknowledged).toBe(1);
    proxy.silence();
    await notify('in flight');
    expect(await given()).toEqual(['in flight', 'mark']);
    expect(first.had).toEqual(['seen']);
  });

  it('get on return what was published while all were away, and what another has had only where they had less', async () => {
    const { device, notify, given, acknowledged } = await userOf(`away-${transport}`, open);
    const first = await device();
    const second = await device();
    await notify('both');
    await expect.poll(() => [first.had, second.had]).toEqual([['both'], ['both']]);
    second.client.close();
    await notify('first');
    await expect.poll(() => first.had.length).toBe(2);
    await expect.poll(acknowledged).toBe(2);
    first.client.close();
    await notify('while away');
    expect(await given()).toEqual(['while away', 'mark']);
    await second.client.connect();
    await expect.poll(() => second.had).toEqual(['both', 'first', 'while away', 'mark']);
  });
});

it.each(Object.entries(sdks))(
  'what came before the application listened is given to it, by %s',
  async (transport, open) => {
    const { topic, notify, clientAt } = await userOf(`early-${transport}`, open);
    await notify('early');
    const client = clientAt(gateway.wsUrl);
    await client.connect();
    await expect.poll(() => client.getStats().publications).toBeGreaterThan(0);
    const had: unknown[] = [];
    client.subscribe(topic, {}, ({ data }) => had.push(data));
    await expect.poll(() => had.at(-1)).toBe('early');
  },
);
