import { describe, expect, it } from 'vitest';
import { PageClient } from '../../../src/client/page/index.ts';
import {
  FakeRuntime,
  type FakeSocket,
  type Harness,
  harness,
  recordedSockets,
  settled,
} from '../support/fakes.ts';

const result = { topic: 'a', view: 7, mode: 'stream', epoch: 'e1', offset: 0 } as const;

function grant(socket: FakeSocket): void {
  socket.reply('subscribe', { kind: 'subscribed', results: [result] });
}

function refuse(socket: FakeSocket, retryAfterMs?: number): void {
  const error = {
    code: 'forbidden',
    number: 112,
    message: 'no',
    retry: retryAfterMs !== undefined,
    retryAfterMs,
  };
  socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error }] });
}

/** What has become of the promise by now. */
async function outcome(ready: Promise<void>): Promise<string> {
  const settling = ready.then(
    () => 'ready',
    ({ code }: { code: string }) => code,
  );
  await settled();
  return await Promise.race([settling, Promise.resolve('waits')]);
}

describe('`ready` of a subscription', () => {
  it('resolves once the gateway has established it, and at once from then on', async () => {
    const h = harness();
    const subscription = h.client.subscribe('a');
    const { ready } = subscription;
    await h.arrive();
    expect(await outcome(ready)).toBe('waits');
    grant(h.socket);
    expect([await outcome(ready), await outcome(subscription.ready)]).toEqual(['ready', 'ready']);
  });

  it('waits again while the client reconnects', async () => {
    const h = harness();
    const subscription = h.client.subscribe('a');
    grant(await h.arrive());
    h.socket.end();
    expect([subscription.state, await outcome(subscription.ready)]).toEqual(['pending', 'waits']);
  });

  it('rejects with the reason of a refusal, also of one that is tried again', async () => {
    const h = harness();
    const subscription = h.client.subscribe('a');
    subscription.on('error', () => undefined);
    const { ready } = subscription;
    refuse(await h.arrive(), 1_000);
    expect([await outcome(ready), await outcome(subscription.ready)]).toEqual(['forbidden', 'forbidden']);
    await h.runtime.advance(1_000);
    grant(h.socket);
    expect(await outcome(subscription.ready)).toBe('ready');
  });

  it('rejects also where an equal subscription was refused before', async () => {
    const h = harness();
    h.client.subscribe('a').on('error', () => undefined);
    refuse(await h.arrive());
    const second = h.client.subscribe('a');
    second.on('error', () => undefined);
    const { ready } = second;
    await settled();
    expect(h.socket.count('subscribe')).toBe(2);
    refuse(h.socket);
    expect([await outcome(ready), second.state]).toEqual(['forbidden', 'refused']);
  });

  it('rejects with `closed` once it has ended', async () => {
    const subscription = harness().client.subscribe('a');
    const { ready } = subscription;
    subscription.unsubscribe();
    expect([await outcome(ready), await outcome(subscription.ready)]).toEqual(['closed', 'closed']);
  });

  it.each([
    ['closed', (h: Harness) => h.client.close()],
    ['connection_ended', (h: Harness) => h.socket.end(4500)],
  ])(
    'rejects with `%s` where that closes the client, and waits again once it connects',
    async (code, close) => {
      const h = harness();
      h.client.onError(() => undefined);
      const subscription = h.client.subscribe('a');
      await h.arrive();
      const { ready } = subscription;
      close(h);
      expect([await outcome(ready), await outcome(subscription.ready)]).toEqual([code, code]);
      await h.arrive();
      expect(await outcome(subscription.ready)).toBe('waits');
      grant(h.socket);
      expect(await outcome(subscription.ready)).toBe('ready');
    },
  );

  it('is the same of a page that shares a connection', async () => {
    const { client, socket } = pageHarness();
    const subscription = client.subscribe('a');
    const { ready } = subscription;
    void client.connect();
    await settled();
    socket().greet();
    await settled();
    expect(await outcome(ready)).toBe('waits');
    grant(socket());
    expect(await outcome(ready)).toBe('ready');
    client.close();
    expect(await outcome(subscription.ready)).toBe('closed');
  });
});

function pageHarness() {
  const { sockets, Recorded } = recordedSockets();
  const client = new PageClient('ws://gateway.test/ws', { WebSocket: Recorded, runtime: new FakeRuntime() });
  return { client, socket: () => sockets.at(-1) as FakeSocket };
}
