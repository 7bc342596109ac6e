import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Canary } from '../../src/sources/canary.ts';

/** A server that accepts connections and never responds. */
async function silentServer() {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws` };
}

function canaryOf(url: string) {
  const warn = vi.fn();
  const inc = vi.fn();
  const canary = new Canary({
    url,
    headers: {},
    intervalMs: 1000,
    publish: async () => undefined,
    log: { warn, info: vi.fn() },
    metrics: { canarySeconds: { observe: vi.fn() }, sourceErrorsTotal: { inc } } as never,
  });
  onTestFinished(() => canary.stop());
  return { canary, warn, inc };
}

test('a canary that is stopped while it connects reports no failure', async () => {
  const { server, url } = await silentServer();
  const { canary, warn, inc } = canaryOf(url);
  const connected = once(server, 'connection');
  canary.start();
  const [socket] = await connected;
  await canary.stop();
  if (!socket.closed) await once(socket.resume(), 'close');
  expect(warn).not.toHaveBeenCalled();
  expect(inc).not.toHaveBeenCalled();
});

test('a canary that cannot connect reports it', async () => {
  const { server, url } = await silentServer();
  server.close();
  await once(server, 'close');
  const { canary, warn, inc } = canaryOf(url);
  canary.start();
  await vi.waitUntil(() => warn.mock.calls.length > 0);
  expect(inc).toHaveBeenCalledWith({ source: 'canary' });
});
