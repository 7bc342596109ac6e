import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { SluiceClient } from '../../src/client/index.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

let gateway: TestGateway;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  gateway = await startGateway({ tokenSecret });
});
afterEach(() => {
  for (const end of ends.splice(0)) end();
});
afterAll(() => gateway.close());

describe.each(['websocket', 'poll'] as const)('devices of one user, by %s', (transport) => {
  const name = `alice-${transport}`;
  const topic = `user:${name}`;

  async function notify(data: string): Promise<void> {
    const answer = await gateway.post(`/api/users/${name}/notify`, JSON.stringify({ data }));
    expect(answer.status).toBe(200);
  }

  async function clientAt(url: string): Promise<SluiceClient> {
    const token = await signToken({ sub: name });
    const client = new SluiceClient(url, { WebSocket, transports: [transport], token });
    client.onError(() => undefined);
    ends.push(() => client.close());
    return client;
  }

  /** A device whose application listens from the beginning, and what it has had. */
  async function device(url = gateway.wsUrl): Promise<{ client: SluiceClient; had: unknown[] }> {
    const client = await clientAt(url);
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

  it('do not miss what was on its way when the network died, and do not get again what one has shown', async () => {
    const proxy = await CuttingProxy.open(gateway.url);
    ends.push(() => proxy.close());
    const first = await device(proxy.wsUrl);
    await notify('seen');
    await expect.poll(() => first.had).toEqual(['seen']);
    const acknowledged = () => gateway.metric('sluice_acknowledged_positions');
    await expect.poll(acknowledged).toBeGreaterThan(transport === 'websocket' ? 0 : 1);
    proxy.silence();
    await notify('in flight');
    expect(await given()).toEqual(['in flight', 'mark']);
    expect(first.had).toEqual(['seen']);
  });

  it('get what came before the application listened', async () => {
    await notify('early');
    const client = await clientAt(gateway.wsUrl);
    await client.connect();
    await expect.poll(() => client.getStats().publications).toBeGreaterThan(0);
    const had: unknown[] = [];
    client.subscribe(topic, {}, ({ data }) => had.push(data));
    await expect.poll(() => had.at(-1)).toBe('early');
  });
});
