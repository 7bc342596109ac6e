import { expect, it, vi } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { RawSocket } from '../support/raw-socket.ts';

it('measures publish to receive through a connection of its own, also beside a trusted proxy', async () => {
  const gateway = await startGateway({ canary: true, trustedProxies: ['127.0.0.1'] });
  const count = async () => {
    const socket = await RawSocket.open(gateway.port, '127.0.0.2');
    await socket.send('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    const { body } = await socket.answer();
    socket.kill();
    return Number(/^sluice_canary_seconds_count (\d+)$/m.exec(body)?.[1]);
  };
  await vi.waitUntil(async () => (await count()) > 0, { timeout: 60_000 });
  await gateway.close();
});

it('is named in the list of connections', async () => {
  const gateway = await startGateway({ canary: true });
  const names = async () => {
    const { connections } = (await (await fetch(`${gateway.url}/api/connections`)).json()) as {
      connections: { client?: string }[];
    };
    return connections.map(({ client }) => client);
  };
  await expect.poll(names).toEqual(['canary']);
  await gateway.close();
});

it('is the only subscriber of its topic', async () => {
  const gateway = await startGateway({
    canary: true,
    anonymous: true,
    tokenSecret: 'a secret of at least thirty-two bytes',
  });
  const headers = { 'x-sluice-canary': 'guessed' };
  const client = await JsonClient.open(gateway.wsUrl, [], { headers });
  const reply = await client.call({ type: 'subscribe', topic: '$canary' });
  expect(reply['results']).toMatchObject([{ error: { code: 'forbidden' } }]);
  await client.close();
  await gateway.close();
});
