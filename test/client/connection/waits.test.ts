import { describe, expect, it } from 'vitest';
import { harness, settled } from '../support/fakes.ts';

const aDayMs = 86_400_000;
/** No ping is missed. */
const heartbeat = { intervalMs: 1e12, timeoutMs: 1e12 };

describe('the wait after a lost connection', () => {
  it.each([
    [4_999, 4_000],
    [5_000, 1_000],
  ])('that had lived for %i ms, the third in a row, is %i ms', async (livedMs, delayMs) => {
    const h = harness();
    await h.arrive();
    for (const beforeMs of [1_000, 2_000]) {
      h.socket.end();
      await h.runtime.advance(beforeMs);
      h.socket.greet();
      await settled();
    }
    await h.runtime.advance(livedMs);
    h.socket.end();
    const { state, retryAtMs = 0 } = h.client.getStatus();
    expect([state, retryAtMs - h.runtime.now()]).toEqual(['reconnecting', delayMs]);
  });

  it.each([
    ['slow_consumer', 'Connection lost: slow_consumer'],
    ['', 'Connection lost: close code 4001'],
  ])('with the reason %j is told as what it was', async (reason, message) => {
    const h = harness();
    await h.arrive();
    h.socket.end(4001, reason);
    expect(h.client.getStatus().error?.message).toContain(message);
  });
});

describe('a client', () => {
  it('tells nothing when it is closed before it connects, and once when it is closed twice', async () => {
    const h = harness();
    const told: unknown[] = [];
    h.client.on('state', ({ state }) => told.push(state));
    h.client.onDisconnect(({ code, reason }) => told.push([code, reason]));
    h.client.close();
    expect(told).toEqual([]);
    await h.arrive();
    told.length = 0;
    h.client.close();
    h.client.close();
    expect(told).toEqual([[1000, 'closed'], 'closed']);
  });

  it('knows since when it is connected, and what it has sent', async () => {
    const h = harness();
    await h.runtime.advance(77);
    const socket = await h.arrive();
    expect(h.client.getStatus().connectedAtMs).toBe(h.runtime.now());
    const { framesSent, bytesSent, publications } = h.client.getStats();
    expect([framesSent, publications]).toEqual([socket.frames.length - 1, 0]);
    expect(bytesSent).toBeGreaterThan(0);
    socket.end();
    expect(h.client.getStatus().connectedAtMs).toBeUndefined();
  });

  it('refuses a call that is larger than a frame may be, and stays connected', async () => {
    const h = harness();
    const socket = await h.arrive();
    await expect(h.client.call('m', 'x'.repeat(65_536))).rejects.toMatchObject({ code: 'frame_too_large' });
    expect([socket.count('call'), h.client.getStatus().state]).toEqual([0, 'connected']);
  });
});

describe('a token that a function gives', () => {
  const clientWith = async (leftMs: number, tokens: string[]) => {
    const h = harness({ heartbeat, token: async () => tokens.shift() as string });
    const errors: string[] = [];
    h.client.onError(({ code }) => errors.push(code));
    void h.client.connect();
    await settled();
    h.socket.greet({ expiresMs: h.runtime.now() + leftMs, timeMs: h.runtime.now() });
    await settled();
    return { ...h, socket: h.socket, runtime: h.runtime, errors };
  };

  it.each([
    ['after three quarters of its time', 100_000, 75_000],
    ['no sooner than after a second', 400, 1_000],
    ['at the latest after a day', 10 * aDayMs, aDayMs],
  ])('is renewed %s', async (_, leftMs, delayMs) => {
    const { socket, runtime } = await clientWith(leftMs, ['first', 'second']);
    await runtime.advance(delayMs - 1);
    expect(socket.count('refresh')).toBe(0);
    await runtime.advance(1);
    expect(socket.command('refresh').token).toBe('second');
  });

  it.each(['', undefined, 5])('and is %j when it is to be renewed is asked for again', async (bad) => {
    const { socket, runtime, errors } = await clientWith(100_000, ['first', bad as string, 'third']);
    await runtime.advance(75_000);
    expect([socket.count('refresh'), errors]).toEqual([0, ['token_failed']]);
    await runtime.advance(1_000);
    expect(socket.command('refresh').token).toBe('third');
  });
});
