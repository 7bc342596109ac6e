import { describe, expect, it, vi } from 'vitest';
import type { ClientError, StateChange } from '../../../src/client/index.ts';
import { harness, settled } from '../support/fakes.ts';

function statesOf(h: ReturnType<typeof harness>): string[] {
  const states: string[] = [];
  h.client.on('state', ({ state }) => states.push(state));
  return states;
}

describe('connecting', () => {
  it('offers protobuf, says hello after the greeting and is connected with the reply', async () => {
    const h = harness({ token: 'secret', clientName: 'test/1' });
    const states = statesOf(h);
    const greeted = h.client.connect();
    await settled();
    expect(h.socket.protocol).toBe('sluice.v1.protobuf');
    expect(h.socket.frames).toEqual([]);
    h.socket.greet({ session: 'abc' });
    expect((await greeted).session).toBe('abc');
    expect(h.socket.command('connect')).toMatchObject({
      token: 'secret',
      client: 'test/1',
      capabilities: ['dictionary', 'acks'],
    });
    expect(states).toEqual(['connecting', 'connected']);
    expect(h.client.getStatus()).toMatchObject({ state: 'connected', session: 'abc' });
  });

  it('ignores space around the URL, as the platform does', async () => {
    const h = harness({ url: ' ws://gateway.test/ws ' });
    void h.client.connect();
    await settled();
    expect(h.socket.url).toBe('ws://gateway.test/ws');
  });

  it('asks for a token before each attempt', async () => {
    let count = 0;
    const h = harness({ token: async () => `token-${++count}` });
    await h.arrive();
    await h.comeBack();
    expect(h.socket.command('connect').token).toBe('token-2');
  });

  it('tries again when no token can be had', async () => {
    const h = harness({ token: () => Promise.reject(new Error('no session')) });
    const changes: StateChange[] = [];
    h.client.on('state', (change) => changes.push(change));
    void h.client.connect();
    await settled();
    expect(h.sockets).toHaveLength(0);
    expect(changes.at(-1)).toMatchObject({ state: 'reconnecting', error: { code: 'token_failed' } });
  });

  it('can be closed by the function that gets the token', async () => {
    let count = 0;
    const h = harness({
      token: () => {
        count++;
        h.client.close();
        throw new Error('logged out');
      },
    });
    const states = statesOf(h);
    await expect(h.client.connect()).rejects.toMatchObject({ code: 'closed' });
    await h.runtime.advance(60_000);
    expect([count, states, h.client.getStatus().state]).toEqual([1, ['connecting', 'closed'], 'closed']);
  });

  it('is connecting before a token that fails at once', async () => {
    const h = harness({
      token: () => {
        throw new Error('no session');
      },
    });
    const states = statesOf(h);
    await expect(h.client.connect()).rejects.toMatchObject({ code: 'token_failed' });
    expect(states).toEqual(['connecting', 'reconnecting']);
  });

  it('blames a token that takes too long, and not the WebSocket', async () => {
    const h = harness({ token: () => new Promise<string>(() => {}), connectTimeoutMs: 5_000 });
    void h.client.connect();
    await h.runtime.advance(5_000);
    const { error, transport } = h.client.getStatus();
    expect([error?.code, transport]).toEqual(['token_failed', 'websocket']);
  });

  it('ends an attempt that takes too long', async () => {
    const h = harness({ connectTimeoutMs: 5_000 });
    void h.client.connect();
    await settled();
    await h.runtime.advance(5_000);
    expect(h.socket.closedBy).toBeDefined();
    expect(h.client.getStatus()).toMatchObject({ state: 'reconnecting', error: { code: 'timeout' } });
  });

  it('ends an attempt a second after an error of its socket, even if no end of that is reported', async () => {
    const h = harness();
    const states = statesOf(h);
    void h.client.connect();
    await settled();
    h.socket.onerror?.();
    await h.runtime.advance(999);
    expect([states, h.socket.closedBy]).toEqual([['connecting'], undefined]);
    await h.runtime.advance(1);
    expect([states[1], h.socket.closedBy?.code]).toEqual(['reconnecting', 1000]);
  });

  it('ends an attempt once by an error and the end that follows', async () => {
    const h = harness();
    void h.client.connect();
    await settled();
    h.socket.onerror?.();
    h.socket.end();
    h.socket.onerror?.();
    await h.runtime.advance(999);
    expect(h.sockets).toHaveLength(1);
    await h.runtime.advance(1);
    expect(h.sockets).toHaveLength(2);
    h.socket.greet();
    await h.runtime.advance(1_000);
    expect([h.client.getStatus().state, h.sockets.length]).toEqual(['connected', 2]);
  });

  it('closes when the gateway refuses the token', async () => {
    const h = harness({ token: 'bad' });
    const connecting = h.client.connect();
    const errors: ClientError[] = [];
    h.client.onError((error) => errors.push(error));
    await settled();
    h.socket.onopen?.();
    h.socket.push({
      kind: 'connected',
      session: 's',
      timeMs: 1,
      version: '',
      limits: {
        frameMaxBytes: 1,
        payloadMaxBytes: 1,
        subscriptions: 1,
        commandsPerSecond: 1,
        idleTimeoutMs: 1,
      },
    });
    h.socket.reply('connect', {
      kind: 'error',
      code: 'unauthorized',
      number: 110,
      message: 'no',
      retry: false,
    });
    await expect(connecting).rejects.toMatchObject({ code: 'unauthorized' });
    expect(errors.map(({ code }) => code)).toEqual(['unauthorized']);
    expect(h.client.getStatus().state).toBe('closed');
    expect(h.runtime.timers).toBe(0);
  });
});

describe('a connection that is closed as unauthorized before it is up', () => {
  it.each([
    ['with a token is tried again: it came too late', 'token', 'reconnecting'],
    ['without a token is the end', undefined, 'closed'],
  ])('%s', async (_, token, state) => {
    const h = harness({ token });
    h.client.onError(() => undefined);
    void h.client.connect();
    await settled();
    h.socket.onopen?.();
    h.socket.end(4501, 'unauthorized');
    await settled();
    expect(h.client.getStatus().state).toBe(state);
  });
});

describe('reconnecting', () => {
  it('waits 1, 2, 4 … seconds between attempts that fail', async () => {
    const h = harness();
    await h.arrive();
    await h.runtime.advance(10_000);
    for (const [index, seconds] of [1, 2, 4, 8, 16, 30, 30].entries()) {
      h.socket.end();
      await settled();
      await h.runtime.advance(seconds * 1_000 - 1);
      expect(h.sockets).toHaveLength(index + 1);
      await h.runtime.advance(1);
      expect(h.sockets).toHaveLength(index + 2);
    }
  });

  it('does not take a connection that died at once for a success', async () => {
    const h = harness();
    await h.arrive();
    await h.comeBack();
    h.socket.end();
    const { retryAtMs = 0 } = h.client.getStatus();
    expect(retryAtMs - h.runtime.now()).toBe(2_000);
  });

  it('closes when all attempts have failed', async () => {
    const h = harness({ reconnect: { delaysMs: [10], maxAttempts: 2 } });
    const connecting = h.client.connect();
    h.client.onError(() => {});
    for (let attempt = 0; attempt < 3; attempt++) {
      await settled();
      h.socket.end();
      await h.runtime.advance(10);
    }
    await expect(connecting).rejects.toMatchObject({ code: 'retries_over' });
    expect(h.sockets).toHaveLength(3);
  });

  it('waits as long as a gateway that goes away says', async () => {
    const h = harness();
    await h.arrive();
    h.socket.push({ kind: 'goingAway', reconnectDelayMs: 7_000, reason: 'going_away' });
    h.socket.end(4000);
    const { retryAtMs = 0 } = h.client.getStatus();
    expect(retryAtMs - h.runtime.now()).toBe(7_000);
  });

  it.each([4500, 4502, 4999])('does not come back after close code %i', async (code) => {
    const h = harness();
    const errors: string[] = [];
    h.client.onError((error) => errors.push(error.code));
    await h.arrive();
    h.socket.end(code);
    expect(h.client.getStatus().state).toBe('closed');
    expect(errors).toEqual(['connection_ended']);
    expect(h.runtime.timers).toBe(0);
  });

  it.each([1000, 1001, 1006, 4000, 4499])('comes back after close code %i', async (code) => {
    const h = harness();
    await h.arrive();
    h.socket.end(code);
    expect(h.client.getStatus().state).toBe('reconnecting');
  });

  it('comes back after its token expired only when it can get another', async () => {
    const fixed = harness({ token: 'old' });
    await fixed.arrive();
    fixed.client.onError(() => {});
    fixed.socket.end(4501);
    expect(fixed.client.getStatus().state).toBe('closed');
    const fresh = harness({ token: async () => 'new' });
    await fresh.arrive();
    fresh.socket.end(4501);
    expect(fresh.client.getStatus().state).toBe('reconnecting');
  });

  it('tries at once when it is told to', async () => {
    const h = harness();
    await h.arrive();
    h.socket.end();
    const back = h.client.connect();
    await settled();
    expect(h.sockets).toHaveLength(2);
    h.socket.greet();
    await expect(back).resolves.toMatchObject({ session: 's1' });
  });
});

describe('a refused upgrade', () => {
  const respondWith = (status: number, code: string, headers: Record<string, string> = {}) =>
    vi.fn<typeof fetch>(async () =>
      Response.json({ error: { code, message: `because ${code}` } }, { status, headers }),
    );

  it('is explained by a GET to the same address, and honours its Retry-After', async () => {
    const h = harness();
    const fetch = respondWith(429, 'too_many_connections_from_ip', { 'retry-after': '20' });
    h.runtime.fetch = fetch;
    const quick = harness({ runtime: h.runtime });
    const errors: string[] = [];
    quick.client.onError((error) => errors.push(error.code));
    void quick.client.connect();
    await settled();
    quick.socket.end(1006);
    await settled();
    expect(fetch.mock.calls[0]?.[0]).toBe('http://gateway.test/ws');
    expect(errors).toEqual(['too_many_connections_from_ip']);
    const { retryAtMs = 0, state } = quick.client.getStatus();
    expect(state).toBe('reconnecting');
    expect(retryAtMs - h.runtime.now()).toBe(20_000);
  });

  it('is final when the gateway says that it will not do', async () => {
    const runtime = harness().runtime;
    runtime.fetch = respondWith(403, 'origin_not_allowed');
    const h = harness({ runtime });
    const connecting = h.client.connect();
    h.client.onError(() => {});
    await settled();
    h.socket.end(1006);
    await expect(connecting).rejects.toMatchObject({ code: 'origin_not_allowed', retry: false });
    expect(h.client.getStatus().state).toBe('closed');
  });

  it('is no refusal when the route is ready for upgrades', async () => {
    const runtime = harness().runtime;
    runtime.fetch = respondWith(426, 'upgrade_required');
    const h = harness({ runtime });
    void h.client.connect();
    await settled();
    h.socket.end(1006);
    await settled();
    expect(h.client.getStatus()).toMatchObject({
      state: 'reconnecting',
      error: { code: 'upgrade_failed' },
    });
  });
});

describe('heartbeat', () => {
  it('pings at once and every 25 seconds, and tells the gateway the last round trip', async () => {
    const h = harness();
    const roundTrips: number[] = [];
    h.client.on('roundTrip', (ms) => roundTrips.push(ms));
    await h.arrive();
    expect(h.socket.count('ping')).toBe(1);
    await h.runtime.advance(40);
    h.socket.reply('ping', { kind: 'pong', timeMs: h.runtime.now() + 480 });
    expect(roundTrips).toEqual([40]);
    // Written in the middle of the round trip: the gateway's clock is half a second ahead.
    expect(h.client.getStatus()).toMatchObject({ roundTripMs: 40, serverOffsetMs: 500 });
    await h.runtime.advance(25_000);
    expect(h.socket.count('ping')).toBe(2);
    expect(h.socket.command('ping').roundTripMs).toBe(40);
  });

  it('takes a connection for dead on which nothing moves', async () => {
    const h = harness();
    const lost: number[] = [];
    h.client.onDisconnect(({ code }) => lost.push(code));
    await h.arrive();
    await h.runtime.advance(10_000);
    expect(lost).toEqual([1006]);
    expect(h.socket.closedBy).toBeDefined();
    expect(h.client.getStatus()).toMatchObject({
      state: 'reconnecting',
      error: { code: 'heartbeat_timeout' },
    });
  });

  it('waits for a pong that is late after other messages', async () => {
    const h = harness();
    await h.arrive();
    await h.runtime.advance(9_000);
    h.socket.push({ kind: 'lagging', views: [1] });
    await h.runtime.advance(1_000);
    expect(h.client.getStatus().state).toBe('connected');
  });
});

describe('listeners', () => {
  it('may throw without harm; the fault is reported', async () => {
    const h = harness();
    const errors: ClientError[] = [];
    const heard: string[] = [];
    h.client.onError((error) => errors.push(error));
    h.client.onConnect(() => {
      throw new Error('mine');
    });
    h.client.onConnect(() => heard.push('second'));
    await h.arrive();
    expect(heard).toEqual(['second']);
    expect(errors[0]).toMatchObject({ code: 'listener_failed', cause: new Error('mine') });
  });

  it('may close the client from within any event', async () => {
    for (const event of ['state', 'connect', 'disconnect'] as const) {
      const h = harness();
      let armed = false;
      h.client.on(event, () => {
        if (armed) h.client.close();
      });
      armed = event === 'connect';
      await h.arrive();
      armed = true;
      h.socket.end();
      await h.runtime.advance(60_000);
      expect(h.client.getStatus().state).toBe('closed');
      expect(h.sockets).toHaveLength(1);
    }
  });

  it.each<[string, (h: ReturnType<typeof harness>) => void]>([
    ['the network', ({ socket }) => socket.end()],
    ['the application', ({ client }) => client.close()],
    ['an operator', ({ socket }) => socket.end(4500, 'disconnected')],
  ])('may connect again at once after a connection was ended by %s', async (_, end) => {
    const h = harness();
    await h.arrive();
    const again: Promise<unknown>[] = [];
    h.client.onDisconnect(() => again.push(h.client.connect()));
    end(h);
    await h.runtime.advance(0);
    expect(h.sockets).toHaveLength(2);
    h.socket.greet({ session: 'second' });
    await expect(again[0]).resolves.toMatchObject({ session: 'second' });
    expect(h.client.getStatus()).toMatchObject({ state: 'connected', session: 'second' });
  });
});

it('comes back from closed with all subscriptions', async () => {
  const h = harness();
  await h.arrive();
  h.client.subscribe('a');
  await settled();
  h.client.close();
  await h.arrive();
  expect(h.sockets).toHaveLength(2);
  expect(h.socket.command('subscribe').subscriptions).toMatchObject([{ topic: 'a' }]);
});
