import { describe, expect, it } from 'vitest';
import type { Reply } from '../../src/protocol/server-frames.ts';
import {
  arrived,
  FakeRuntime,
  type FakeSocket,
  type Harness,
  harness,
  publication,
  settled,
} from './support/fakes.ts';

const published = (offset: number) => ({ kind: 'published', epoch: 'e1', offset, duplicate: false }) as const;

const answered = new WeakSet<object>();

/** Replies to the oldest publish that has no reply. */
function answer(socket: FakeSocket, reply: Reply): void {
  const frame = socket.frames.find((each) => each.kind === 'publish' && !answered.has(each));
  if (!frame) throw new Error('no publish waits');
  answered.add(frame);
  socket.push(reply, frame.id);
}

describe('publish', () => {
  it('settles with the position that the gateway acknowledged', async () => {
    const { h, socket } = await arrived();
    const publishing = h.client.publish('a', 'test', { n: 1 }, { key: 'k', tags: { level: 'ok' } });
    const { payload, ...fields } = socket.command('publish');
    expect(fields).toMatchObject({ topic: 'a', type: 'test', key: 'k', tags: { level: 'ok' } });
    expect(new TextDecoder().decode(payload.bytes)).toBe('{"n":1}');
    socket.reply('publish', published(3));
    await expect(publishing).resolves.toMatchObject({ epoch: 'e1', offset: 3, duplicate: false });
  });

  it('rejects with the code of the gateway', async () => {
    const { h, socket } = await arrived();
    const publishing = h.client.publish('a', 'test');
    socket.reply('publish', { kind: 'error', code: 'forbidden', number: 112, message: 'no', retry: false });
    await expect(publishing).rejects.toMatchObject({
      name: 'ClientError',
      code: 'forbidden',
      number: 112,
      retry: false,
    });
  });

  it('keeps what is published offline and sends it in order, more at once with each that is committed', async () => {
    const h = harness();
    const all = Promise.all([1, 2, 3, 4, 5, 6].map((n) => h.client.publish('a', 'test', n)));
    expect(h.client.getStatus().queued).toBe(6);
    const socket = await h.arrive();
    for (const n of [1, 2, 3, 4, 5, 6]) {
      expect(socket.count('publish')).toBe([1, 3, 5, 6, 6, 6][n - 1]);
      answer(socket, published(n));
    }
    expect((await all).map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6]);
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
    const { h, socket } = await arrived();
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
    const { h, socket } = await arrived({ commandTimeoutMs: 1_000_000, heartbeat: { timeoutMs: 1_000_000 } });
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
});

const refused = (code: string, number: number, retryAfterMs?: number) =>
  ({ kind: 'error', code, number, message: code, retry: true, retryAfterMs }) as const;

const dataOf = (socket: FakeSocket): string[] =>
  socket.frames.flatMap((frame) =>
    frame.kind === 'publish' ? [new TextDecoder().decode(frame.payload.bytes)] : [],
  );

describe('the queue', () => {
  const limits = {
    frameMaxBytes: 2_000,
    payloadMaxBytes: 1_000,
    subscriptions: 100,
    commandsPerSecond: 100,
    idleTimeoutMs: 60_000,
  };

  it('keeps the order of what is published while it is sent', async () => {
    const h = harness();
    for (const n of [1, 2]) void h.client.publish('a', 'test', n);
    const socket = await h.arrive();
    void h.client.publish('a', 'test', 3);
    for (const n of [1, 2, 3]) {
      expect(dataOf(socket)).toEqual(['1', '2', '3'].slice(0, n === 1 ? 1 : 3));
      answer(socket, published(n));
    }
  });

  it('keeps the order when the connection is lost while it is sent', async () => {
    const h = harness();
    for (const n of [1, 2, 3]) void h.client.publish('a', 'test', n);
    const socket = await h.arrive();
    socket.end();
    await h.arrive();
    for (const n of [1, 2, 3]) answer(h.socket, published(n));
    expect([dataOf(socket), dataOf(h.socket)]).toEqual([['1'], ['1', '2', '3']]);
  });

  it('keeps the order when many were on their way', async () => {
    const { h, socket } = await arrived();
    for (const n of [1, 2, 3]) void h.client.publish('a', 'test', n);
    const [, second] = socket.frames.filter(({ kind }) => kind === 'publish');
    socket.push(published(2), second?.id);
    socket.end();
    void h.client.publish('a', 'test', 4);
    await h.arrive();
    for (const n of [1, 3, 4]) answer(h.socket, published(n));
    expect(dataOf(h.socket)).toEqual(['1', '3', '4']);
  });

  it.each([2, 3])('waits as long as the gateway says, with all %i, and keeps the order', async (count) => {
    const h = harness();
    for (let n = 1; n <= count; n++) void h.client.publish('a', 'test', n);
    const socket = await h.arrive();
    answer(socket, refused('rate_limited', 140, 500));
    await h.runtime.advance(499);
    expect(dataOf(socket)).toEqual(['1']);
    await h.runtime.advance(1);
    for (let n = 1; n <= count; n++) answer(socket, published(n));
    expect(dataOf(socket)).toEqual(['1', '1', '2', '3'].slice(0, count + 1));
  });

  it('is sent once, also when the connection was lost while it waited', async () => {
    const h = harness();
    for (const n of [1, 2]) void h.client.publish('a', 'test', n);
    const socket = await h.arrive();
    socket.reply('publish', refused('rate_limited', 140, 5_000));
    socket.end();
    await h.arrive();
    h.socket.reply('publish', published(1));
    await h.runtime.advance(5_000);
    expect([dataOf(h.socket), h.socket.count('publish')]).toEqual([['1', '2'], 2]);
  });

  it('takes what went out at once and was over the rate, in its order', async () => {
    const { h, socket } = await arrived({ offlineQueue: { maxEntries: 3 } });
    const all = Promise.all([1, 2, 3, 4].map((n) => h.client.publish('a', 'test', n)));
    answer(socket, published(1));
    answer(socket, refused('rate_limited', 140, 300));
    answer(socket, refused('rate_limited', 140, 200));
    await h.runtime.advance(300);
    // The reply to the last is awaited: if that is committed after all, no other may come between.
    expect(dataOf(socket)).toEqual(['1', '2', '3', '4']);
    answer(socket, refused('rate_limited', 140, 1));
    await expect(h.client.publish('a', 'test', 5)).rejects.toMatchObject({ code: 'offline_queue_full' });
    await h.runtime.advance(1);
    for (const n of [2, 3, 4]) answer(socket, published(n));
    expect(dataOf(socket)).toEqual(['1', '2', '3', '4', '2', '3', '4']);
    expect((await all).map(({ offset }) => offset)).toEqual([1, 2, 3, 4]);
    const pipelined = socket.frames.flatMap((frame) =>
      frame.kind === 'publish' ? [frame.pipelined === true] : [],
    );
    expect(pipelined).toEqual([false, true, true, true, false, false, true]);
  });

  it('sends no more at once than the gateway takes in a second, and keeps the rest of a burst', async () => {
    const { h, socket } = await arrived({ offlineQueue: { maxEntries: 1 } });
    const all = Promise.all(Array.from({ length: 300 }, (_, n) => h.client.publish('a', 'test', n)));
    expect([socket.count('publish'), h.client.getStatus().queued]).toEqual([100, 200]);
    for (let n = 1; n <= 300; n++) answer(socket, published(n));
    expect((await all).map(({ offset }) => offset)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
  });

  it.each([
    ['a second loss', 200_000, 100_000],
    ['a long time offline', 0, 240_001],
  ])('does not send again what the gateway may have forgotten: after %s', async (_, connectedMs, awayMs) => {
    const { h, socket } = await arrived({
      commandTimeoutMs: 1e9,
      heartbeat: { timeoutMs: 1e9 },
      connectTimeoutMs: 1e9,
    });
    const publishing = h.client.publish('a', 'test', 1);
    const failed = expect(publishing).rejects.toMatchObject({ code: 'disconnected' });
    await h.runtime.advance(connectedMs);
    socket.end();
    if (connectedMs > 0) {
      await h.arrive();
      expect(dataOf(h.socket)).toEqual(['1']);
    }
    await h.runtime.advance(awayMs);
    if (connectedMs > 0) h.socket.end();
    else h.socket.greet();
    await failed;
  });

  it('gives each client messageIds of its own', async () => {
    const ids = await Promise.all(
      [0.25, 0.75].map(async (random) => {
        const { h, socket } = await arrived({
          runtime: Object.assign(new FakeRuntime(), { randomValue: random }),
        });
        void h.client.publish('a', 'test', 1);
        return socket.command('publish').messageId;
      }),
    );
    expect(ids[0]).not.toBe(ids[1]);
  });

  it.each([
    ['payload_too_large', 1_000, 1_001, {}],
    [
      'frame_too_large',
      900,
      900,
      { tags: Object.fromEntries([...'abcdef'].map((tag) => [tag, 'x'.repeat(200)])) },
    ],
  ] as const)(
    'rejects at the call what is larger than the gateway takes: %s',
    async (code, fits, exceeds, options) => {
      const h = harness();
      void h.client.connect();
      await settled();
      h.socket.greet({ limits });
      void h.client.publish('a', 'test', new Uint8Array(fits));
      await expect(h.client.publish('a', 'test', new Uint8Array(exceeds), options)).rejects.toMatchObject({
        code,
      });
      expect([h.socket.count('publish'), h.client.getStatus().state]).toEqual([1, 'connected']);
      h.socket.end();
      // The limits are known now.
      await expect(h.client.publish('a', 'test', new Uint8Array(exceeds), options)).rejects.toMatchObject({
        code,
      });
      expect(h.client.getStatus().queued).toBe(1);
    },
  );

  it('rejects what turns out to be too large alone, and goes on with the rest', async () => {
    const h = harness();
    const poison = expect(h.client.publish('a', 'test', 'a'.repeat(3 << 20))).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    const good = h.client.publish('a', 'test', 2);
    const socket = await h.arrive();
    await poison;
    socket.reply('publish', published(1));
    await expect(good).resolves.toMatchObject({ offset: 1 });
    expect([dataOf(socket), h.sockets.length]).toEqual([['2'], 1]);
  });
});

describe('a publication except for its own client', () => {
  const publishOwn = (h: Harness) => h.client.publish('chat', 'test', 1, { exceptSelf: true });
  async function listening(h: Harness): Promise<number[]> {
    const heard: number[] = [];
    await h.arrive();
    h.client.subscribe('chat', {}, ({ offset }) => heard.push(offset));
    await settled();
    h.socket.reply('subscribe', { kind: 'subscribed', results: [granted(0)] });
    return heard;
  }
  const granted = (offset: number, recovered?: boolean) =>
    ({ topic: 'chat', view: 7, mode: 'stream', epoch: 'e1', offset, recovered }) as const;
  const batch = (after: number, upto: number) =>
    ({
      kind: 'batch',
      view: 7,
      after,
      upto,
      publications: Array.from({ length: upto - after }, (_, i) => publication(after + i + 1)),
    }) as const;

  it('names the session that sends it, not the one of the call', async () => {
    const h = harness();
    void publishOwn(h).catch(() => {});
    await h.arrive();
    expect(h.socket.command('publish').except).toBe('s1');
    h.socket.end();
    await h.runtime.advance(1_000);
    h.socket.greet({ session: 's2' });
    expect(h.socket.command('publish').except).toBe('s2');
  });

  it.each(['yes', 1, {}])(
    'is not taken for one of all clients where exceptSelf is no boolean: %j',
    async (value) => {
      const published = harness().client.publish('chat', 'test', 1, { exceptSelf: value as never });
      await expect(published).rejects.toMatchObject({ code: 'invalid_request' });
    },
  );

  it('does not come back by the catch-up of a later session', async () => {
    const h = harness();
    const heard = await listening(h);
    const publishing = publishOwn(h);
    h.socket.reply('publish', published(1));
    await publishing;
    h.socket.end();
    await h.runtime.advance(1_000);
    h.socket.greet({ session: 's2' });
    h.socket.reply('subscribe', { kind: 'subscribed', results: [granted(0, true)] });
    h.socket.push(batch(0, 2));
    expect(heard).toEqual([2]);
  });

  it('does not come back when its acknowledgement was lost: the subscription waits until its place is known', async () => {
    const h = harness();
    const heard = await listening(h);
    const other = h.client.subscribe('other');
    const pattern = h.client.subscribe('ch*');
    void publishOwn(h);
    h.socket.end();
    await h.runtime.advance(1_000);
    h.socket.greet({ session: 's2' });
    expect(h.socket.command('subscribe').subscriptions).toMatchObject([{ topic: 'other' }]);
    expect([other.state, pattern.state]).toEqual(['pending', 'pending']);
    h.socket.reply('publish', { ...published(1), duplicate: true });
    expect(h.socket.command('subscribe').subscriptions).toMatchObject([
      { topic: 'chat', since: { epoch: 'e1', offset: 0 } },
      { topic: 'ch*' },
    ]);
    h.socket.reply('subscribe', { kind: 'subscribed', results: [granted(0, true)] });
    h.socket.push(batch(0, 2));
    expect(heard).toEqual([2]);
  });

  it('is one like all others once its call was rejected: a later session gets it, if it was stored after all', async () => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    const heard = await listening(h);
    const publishing = expect(publishOwn(h)).rejects.toMatchObject({ code: 'timeout' });
    await h.runtime.advance(10_000);
    await publishing;
    h.socket.end();
    await h.runtime.advance(1_000);
    h.socket.greet({ session: 's2' });
    h.socket.reply('subscribe', { kind: 'subscribed', results: [granted(0, true)] });
    h.socket.push(batch(0, 1));
    expect(heard).toEqual([1]);
  });

  it.each(['timeout', 'forbidden'])('does not hold its topic for ever: %s', async (how) => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    await listening(h);
    void publishOwn(h).catch(() => {});
    h.socket.end();
    await h.runtime.advance(1_000);
    h.socket.greet({ session: 's2' });
    expect(h.socket.count('subscribe')).toBe(0);
    if (how === 'timeout') await h.runtime.advance(10_000);
    else h.socket.reply('publish', refused(how, 112));
    expect(h.socket.count('subscribe')).toBe(1);
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

  it('have what is left of the 10 seconds when they had to wait', async () => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    const status = h.client.status();
    const failed = expect(status).rejects.toMatchObject({ code: 'timeout' });
    await h.runtime.advance(6_000);
    const socket = await h.arrive();
    await h.runtime.advance(3_999);
    expect(socket.count('status')).toBe(1);
    await h.runtime.advance(1);
    await failed;
    expect(h.client.getStatus().state).toBe('connected');
  });

  it('are sent again when the rate is limited, as soon as the gateway says', async () => {
    const { h, socket } = await arrived();
    const presence = h.client.presence('a');
    socket.reply('presence', refused('rate_limited', 140, 700));
    await h.runtime.advance(699);
    expect(socket.count('presence')).toBe(1);
    await h.runtime.advance(1);
    socket.reply('presence', { kind: 'presence', topic: 'a', members: [], count: 3 });
    await expect(presence).resolves.toMatchObject({ count: 3 });
  });

  it.each([10_000, undefined])('fail when that would be too late, or for ever (%j ms)', async (ms) => {
    const { h, socket } = await arrived({ commandTimeoutMs: 1_000 });
    const presence = h.client.presence('a');
    socket.reply('presence', refused('rate_limited', 140, ms));
    await expect(presence).rejects.toMatchObject({ code: 'rate_limited' });
  });

  it('that wait for the rate fail when the client closes', async () => {
    const { h, socket } = await arrived();
    const presence = h.client.presence('a');
    socket.reply('presence', refused('rate_limited', 140, 700));
    await settled();
    h.client.close();
    await expect(presence).rejects.toMatchObject({ code: 'closed' });
    expect(h.runtime.timers).toBe(0);
  });

  it('a ping over the rate is no sign of death', async () => {
    const { h, socket } = await arrived();
    socket.reply('ping', refused('rate_limited', 140, 10));
    await h.runtime.advance(24_999);
    expect([h.client.getStatus().state, socket.count('ping')]).toEqual(['connected', 1]);
    await h.runtime.advance(1);
    expect(socket.count('ping')).toBe(2);
  });

  it('fail with the connection that they went over', async () => {
    const { h, socket } = await arrived();
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
