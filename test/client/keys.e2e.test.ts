import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type ClientOptions, SluiceClient, type Subscription } from '../../src/client/index.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { ofTest, opened } from '../support/opened.ts';
import { gatewayOfFile } from '../support/sdk.ts';

const gateway = gatewayOfFile({ connectionsMaxPerIp: 1000, handshakesPerSecondPerIp: 10_000 });

async function change(topic: string, values: Readonly<Record<string, number>>): Promise<void> {
  for (const [key, data] of Object.entries(values)) await gateway.publish({ topic, key, data });
}

const shown = (grid: Subscription) =>
  Object.fromEntries([...grid.current()].map(([key, { data }]) => [key, data]));

describe.each(['websocket', 'sse', 'poll'] as const)('a grid that scrolls, by %s', (transport) => {
  const topic = `server:${transport}`;

  async function gridOf(keys: readonly string[], url = gateway.wsUrl, options: ClientOptions = {}) {
    const client = ofTest(
      new SluiceClient(url, {
        WebSocket,
        transports: [transport],
        reconnect: { delaysMs: [20] },
        ...options,
      }),
    );
    client.onError(() => undefined);
    const grid = client.subscribe(topic, { keys });
    const told: string[] = [];
    grid.on('publication', ({ key, data }) => told.push(`${key}=${data}`));
    await client.connect();
    return { client, grid, told };
  }

  it('shows the values of its keys, and hears of no others', async () => {
    await change(topic, { a: 1, b: 1, c: 1, d: 1 });
    const { grid, told } = await gridOf(['a', 'b']);
    await expect.poll(() => shown(grid)).toEqual({ a: 1, b: 1 });
    grid.setKeys(['b', 'c', 'none']);
    await expect.poll(() => shown(grid)).toEqual({ b: 1, c: 1 });
    await change(topic, { a: 2, d: 2, c: 2, b: 2 });
    await expect.poll(() => shown(grid)).toEqual({ b: 2, c: 2 });
    expect(told).toEqual(['c=2', 'b=2']);
    expect(grid.options.keys).toEqual(['b', 'c', 'none']);
  });

  it('scrolls faster than the gateway replies', async () => {
    const all = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i]));
    await change(topic, all);
    const page = (from: number) => Object.entries(all).slice(from, from + 10);
    const keysAt = (from: number) => page(from).map(([key]) => key);
    const { grid } = await gridOf(keysAt(0));
    for (let from = 1; from <= 30; from++) grid.setKeys(keysAt(from));
    grid.setKeys(keysAt(3));
    grid.setKeys(keysAt(5));
    await expect.poll(() => shown(grid)).toEqual(Object.fromEntries(page(5)));
    for (let from = 6; from <= 12; from++) {
      grid.setKeys(keysAt(from));
      await change(topic, { [`k${from + 1}`]: -from });
      all[`k${from + 1}`] = -from;
    }
    await expect.poll(() => shown(grid)).toEqual(Object.fromEntries(page(12)));
  });

  it('comes back with the keys of then, whatever it scrolled to while it was away', async () => {
    await change(topic, { a: 1, b: 1, c: 1 });
    const proxy = await opened(CuttingProxy.open(gateway.url));
    const { client, grid } = await gridOf(['a', 'b'], proxy.wsUrl);
    await expect.poll(() => shown(grid)).toEqual({ a: 1, b: 1 });
    const away = new Promise((resolve) => client.onDisconnect(resolve));
    proxy.cut();
    await away;
    grid.setKeys(['b', 'c']);
    await change(topic, { a: 3, b: 3 });
    await expect.poll(() => shown(grid)).toEqual({ b: 3, c: 1 });
    proxy.cut();
    await change(topic, { c: 4 });
    await expect.poll(() => shown(grid)).toEqual({ b: 3, c: 4 });
  });

  it('has two parts with keys of their own, which may meet', async () => {
    await change(topic, { a: 1, b: 1, c: 1 });
    const { client, grid } = await gridOf(['a']);
    const other = client.subscribe(topic, { keys: ['b'] });
    await expect.poll(() => [shown(grid), shown(other)]).toEqual([{ a: 1 }, { b: 1 }]);
    other.setKeys(['a']);
    await expect.poll(() => [shown(grid), shown(other)]).toEqual([{ a: 1 }, { a: 1 }]);
    grid.setKeys(['c']);
    await expect.poll(() => [shown(grid), shown(other)]).toEqual([{ c: 1 }, { a: 1 }]);
    await change(topic, { a: 5, b: 5, c: 5 });
    await expect.poll(() => [shown(grid), shown(other)]).toEqual([{ c: 5 }, { a: 5 }]);
  });
});
