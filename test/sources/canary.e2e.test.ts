import { expect, it, vi } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';

it('measures publish to receive through a connection of its own', async () => {
  const gateway = await startGateway({ canary: true });
  await vi.waitUntil(async () => (await gateway.metric('sluice_canary_seconds_count')) > 0, {
    timeout: 20_000,
  });
  expect(await gateway.metric('sluice_canary_seconds_sum')).toBeGreaterThan(0);
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
