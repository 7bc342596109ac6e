import { describe, expect, onTestFinished, test } from 'vitest';
import { Endpoint } from '../../src/hooks/endpoint.ts';
import { HookServer, hookSecret } from '../support/hook-server.ts';

/** Asks with this body, and returns what was held while the answer came and at its end. */
async function asked(bodyBytes: number, roomBytes: number) {
  const hooks = await HookServer.start();
  onTestFinished(() => hooks.close());
  hooks.rude = (response) => {
    for (let i = 0; i < 3000; i++) response.write('x');
    response.end();
  };
  const endpoint = new Endpoint({ url: hooks.url, secret: hookSecret, userAgent: 'test' });
  const stop = new AbortController();
  let heldBytes = 0;
  let mostBytes = 0;
  const answered = endpoint.post([new Uint8Array(bodyBytes)], 3000, stop.signal, (bytes) => {
    heldBytes += bytes;
    mostBytes = Math.max(mostBytes, heldBytes);
    if (heldBytes <= roomBytes) return;
    stop.abort(new Error('no room'));
    stop.signal.throwIfAborted();
  });
  const outcome = await answered.then(
    ({ length }) => length,
    ({ message }: Error) => message,
  );
  return { outcome, mostBytes };
}

describe('what a request to the application holds', () => {
  test('the request once, and the response as it grows', async () => {
    const { outcome, mostBytes } = await asked(10_000, 1e9);
    expect(outcome).toBe(3000);
    expect(mostBytes).toBeGreaterThanOrEqual(10_000 + 3000);
    expect(mostBytes).toBeLessThanOrEqual(10_000 + 3 * 3000);
  });

  test.each([
    ['request', 9999],
    ['response', 10_000],
  ])('a %s without room is given up with the reason of its signal', async (_, roomBytes) => {
    expect(await asked(10_000, roomBytes)).toMatchObject({ outcome: 'no room' });
  });
});

test.each([
  [
    'changes the protocol',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n',
  ],
  [
    'puts more than ten interim responses before the one that counts',
    `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(11)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}`,
  ],
])('an application that %s has not answered', async (_, response) => {
  const hooks = await HookServer.start();
  onTestFinished(() => hooks.close());
  hooks.rude = ({ socket }) => socket?.end(response);
  const endpoint = new Endpoint({ url: hooks.url, secret: hookSecret, userAgent: 'test' });
  const answered = endpoint.post([new Uint8Array(1)], 3000, new AbortController().signal);
  await expect(answered).rejects.toMatchObject({ kind: 'network' });
});
