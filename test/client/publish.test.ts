import { describe, expect, it } from 'vitest';
import { harness, settled } from './support/fakes.ts';

const published = (offset: number) => ({ kind: 'published', epoch: 'e1', offset, duplicate: false }) as const;

describe('publish', () => {
  it('settles with the position that the gateway acknowledged', async () => {
    const h = harness();
    const socket = await h.arrive();
    const publishing = h.client.publish('a', 'test', { n: 1 }, { key: 'k', tags: { level: 'ok' } });
    const { payload, ...fields } = socket.command('publish');
    expect(fields).toMatchObject({ topic: 'a', type: 'test', key: 'k', tags: { level: 'ok' } });
    expect(new TextDecoder().decode(payload.bytes)).toBe('{"n":1}');
    socket.reply('publish', published(3));
    await expect(publishing).resolves.toMatchObject({ epoch: 'e1', offset: 3, duplicate: false });
  });

  it('rejects with the code of the gateway', async () => {
    const h = harness();
    const socket = await h.arrive();
    const publishing = h.client.publish('a', 'test');
    socket.reply('publish', { kind: 'error', code: 'forbidden', number: 112, message: 'no', retry: false });
    await expect(publishing).rejects.toMatchObject({
      name: 'ClientError',
      code: 'forbidden',
      number: 112,
      retry: false,
    });
  });

  it('keeps what is published offline and sends it in order, one by one', async () => {
    const h = harness();
    const all = Promise.all([1, 2, 3].map((n) => h.client.publish('a', 'test', n)));
    expect(h.client.getStatus().queued).toBe(3);
    const socket = await h.arrive();
    for (const n of [1, 2, 3]) {
      expect(socket.count('publish')).toBe(n);
      socket.reply('publish', published(n));
    }
    expect((await all).map(({ offset }) => offset)).toEqual([1, 2, 3]);
  });

  it('keeps 100 and refuses the next, so that none that was taken is lost', async () => {
    const h = harness();
    for (let n = 0; n < 100; n++) void h.client.publish('a', 'test', n).catch(() => {});
    await expect(h.client.publish('a', 'test', 100)).rejects.toMatchObject({
      code: 'offline_queue_full',
      retry: true,
    });
  });

  it('sends again what was not acknowledged, under the same messageId', async () => {
    const h = harness();
    const socket = await h.arrive();
    const publishing = h.client.publish('a', 'test', 1);
    const { messageId } = socket.command('publish');
    socket.end();
    void h.client.publish('a', 'test', 2).catch(() => {});
    await h.runtime.advance(1_000);
    h.socket.greet();
    expect(messageId).toBeTruthy();
    expect(h.socket.command('publish').messageId).toBe(messageId);
    h.socket.reply('publish', { ...published(1), duplicate: true });
    await expect(publishing).resolves.toMatchObject({ duplicate: true });
    expect(h.socket.command('publish').messageId).not.toBe(messageId);
  });

  it('does not send again what the gateway may have forgotten', async () => {
    const h = harness({ commandTimeoutMs: 1_000_000, heartbeat: { timeoutMs: 1_000_000 } });
    const socket = await h.arrive();
    const publishing = h.client.publish('a', 'test', 1);
    await h.runtime.advance(240_001);
    socket.end();
    await expect(publishing).rejects.toMatchObject({ code: 'disconnected' });
  });

  it('waits and goes on when the gateway limits the rate of what was kept', async () => {
    const h = harness();
    const publishing = h.client.publish('a', 'test', 1);
    const socket = await h.arrive();
    const error = { code: 'rate_limited', number: 140, message: 'slow', retry: true, retryAfterMs: 500 };
    socket.reply('publish', { kind: 'error', ...error });
    await h.runtime.advance(500);
    expect(socket.count('publish')).toBe(2);
    socket.reply('publish', published(1));
    await expect(publishing).resolves.toMatchObject({ offset: 1 });
  });

  it('rejects what waits when the client closes', async () => {
    const h = harness();
    void h.client.connect();
    const publishing = h.client.publish('a', 'test', 1);
    h.client.close();
    await expect(publishing).rejects.toMatchObject({ code: 'closed' });
    await expect(h.client.publish('a', 'test', 1)).rejects.toMatchObject({ code: 'closed' });
  });

  it('rejects what JSON cannot say', async () => {
    const h = harness();
    await expect(h.client.publish('a', 'test', 1n)).rejects.toMatchObject({ code: 'unsupported_value' });
  });
});

describe('other commands', () => {
  it('wait for the connection', async () => {
    const h = harness();
    const presence = h.client.presence('a');
    const socket = await h.arrive();
    socket.reply('presence', { kind: 'presence', topic: 'a', members: [], count: 0 });
    await expect(presence).resolves.toMatchObject({ count: 0 });
  });

  it('time out after 10 seconds, waiting included', async () => {
    const h = harness();
    const status = h.client.status();
    const failed = expect(status).rejects.toMatchObject({ code: 'timeout', retry: true });
    await h.runtime.advance(10_000);
    await failed;
  });

  it('fail with the connection that they went over', async () => {
    const h = harness();
    const socket = await h.arrive();
    const history = h.client.history('a', { after: 3 });
    expect(socket.command('history')).toMatchObject({ topic: 'a', after: 3 });
    socket.end();
    await expect(history).rejects.toMatchObject({ code: 'disconnected', retry: true });
  });

  it('refresh the token before it expires', async () => {
    let count = 0;
    const h = harness({
      token: async () => `token-${++count}`,
      heartbeat: { intervalMs: 1e9, timeoutMs: 1e9 },
    });
    void h.client.connect();
    await settled();
    h.socket.greet({ expiresMs: 1_000_000 + 60_000 });
    await h.runtime.advance(45_000);
    expect(h.socket.command('refresh').token).toBe('token-2');
  });
});
