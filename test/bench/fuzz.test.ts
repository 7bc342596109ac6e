import { expect, it } from 'vitest';
import { fuzzFrames } from '../../bench/fuzz/frames.ts';
import { fuzzRequests } from '../../bench/fuzz/requests.ts';
import { gatewayOfFile } from '../support/sdk.ts';

const gateway = gatewayOfFile({
  commandsPerSecond: 1_000_000,
  httpRequestsPerSecondPerIp: 1_000_000,
  ...{
    handshakesPerSecondPerIp: 100_000,
    maxConnectionsPerIp: 10_000,
    httpConnectionsPerSecondPerIp: 100_000,
  },
});

it.each(['protobuf', 'json'] as const)(
  'faulty frames of %s are replied to, or close the connection',
  async (codec) => {
    const { hangs, frames } = await fuzzFrames({ port: gateway.port, codec, frames: 2000, seed: 7 });
    expect([hangs, frames >= 2000]).toEqual([0, true]);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).not.toContain('sluice_command_errors_total{code="internal"}');
  },
);

it('faulty requests are answered, or close the connection, and none fails inside', async () => {
  const { port } = gateway;
  const { faults, outcomes } = await fuzzRequests({ port, requests: 400, seed: 7, endAfterMs: 300 });
  expect(faults).toEqual([]);
  expect(outcomes['200']).toBeGreaterThan(0);
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
});
