import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ClientError, StateChange } from '../../../src/client/index.ts';
import { FakeRuntime, type Harness, harness, settled } from '../support/fakes.ts';

const waitMs = ({ client, runtime }: Harness): number =>
  (client.getStatus().retryAtMs ?? Number.NaN) - runtime.now();

function errorsOf({ client }: Harness): string[] {
  const codes: string[] = [];
  client.onError(({ code }: ClientError) => codes.push(code));
  return codes;
}

async function lost(options: Parameters<typeof harness>[0] = {}): Promise<Harness> {
  const h = harness(options);
  errorsOf(h);
  await h.arrive();
  h.socket.end();
  return h;
}

/** The first attempt, which fails. */
async function failing(h: Harness): Promise<unknown> {
  const connecting = h.client.connect();
  await settled();
  h.socket.end();
  return connecting;
}

/** The next attempts, each after such a wait, which fail. */
async function failAfter(h: Harness, ...waitsMs: readonly number[]): Promise<void> {
  for (const ms of waitsMs) {
    await h.runtime.advance(ms);
    h.socket.end();
    await settled();
  }
}

describe('the waits of two clients', () => {
  it('differ, as each draws its own', async () => {
    const runtimes = [0.1, 0.9].map((random) => Object.assign(new FakeRuntime(), { randomValue: random }));
    const [one, other] = await Promise.all(runtimes.map((runtime) => lost({ runtime })));
    expect([waitMs(one as Harness), waitMs(other as Harness)]).toEqual([550, 950]);
  });

  it('are the delays themselves without jitter', async () => {
    const runtime = Object.assign(new FakeRuntime(), { randomValue: 0 });
    expect(waitMs(await lost({ runtime, jitter: 'none' }))).toBe(1_000);
  });
});

describe('limited attempts', () => {
  it('end closed, with the reason, and connect() starts again', async () => {
    const h = await lost({ maxReconnectAttempts: 2 });
    await failAfter(h, 1_000, 2_000);
    expect(h.sockets).toHaveLength(3);
    expect(h.client.getStatus()).toMatchObject({
      state: 'closed',
      reason: 'retries_over',
      error: { code: 'retries_over', cause: { code: 'gateway_unreachable' } },
    });
    expect([h.runtime.timers, h.runtime.watchers]).toEqual([0, 0]);
    const again = h.client.connect();
    await settled();
    h.socket.greet({ session: 'later' });
    await expect(again).resolves.toMatchObject({ session: 'later' });
    h.socket.end();
    expect(h.client.getStatus()).toMatchObject({ state: 'reconnecting', attempts: 1 });
  });

  it('are none with `reconnect: false`, which ends with the reason of the first', async () => {
    const h = harness({ reconnect: false });
    errorsOf(h);
    await expect(failing(h)).rejects.toMatchObject({ code: 'gateway_unreachable' });
    expect(h.client.getStatus()).toMatchObject({ state: 'closed', reason: 'gateway_unreachable' });
  });

  it('can be closed, or started again, while the reason of the last is asked for', async () => {
    const runtime = new FakeRuntime();
    runtime.fetch = () => new Promise(() => {});
    const h = harness({ reconnect: false, runtime });
    const connecting = h.client.connect();
    await settled();
    h.socket.end();
    h.client.close();
    await expect(connecting).rejects.toMatchObject({ code: 'closed' });
    expect(h.client.getStatus().state).toBe('closed');
  });
});

describe('a reason that the application is told', () => {
  const answer = (status: number, code?: string) => async () =>
    code === undefined
      ? new Response('', { status })
      : Response.json({ error: { code, message: 'no' } }, { status });
  const responses: [string, () => Promise<Response>, string, boolean][] = [
    ['an absent gateway', () => Promise.reject(new TypeError('refused')), 'gateway_unreachable', false],
    ['a gateway that a proxy does not reach', answer(502), 'gateway_unreachable', false],
    ['a proxy that speaks HTTP/1.0', answer(505), 'http_version', false],
    ['another server', async () => new Response('<html>'), 'not_a_gateway', false],
    ['a page that is not there', answer(404), 'not_a_gateway', false],
    ['an API of another kind', answer(418, 'teapot'), 'not_a_gateway', false],
    ['a proxy that drops the upgrade', answer(426, 'upgrade_required'), 'upgrade_failed', false],
    ['a wrong path', answer(404, 'not_found'), 'not_found', true],
    ['a forbidden origin', answer(403, 'origin_not_allowed'), 'origin_not_allowed', true],
  ];

  it.each(responses)('%s', async (_, respond, code, isFinal) => {
    const h = harness();
    h.runtime.fetch = respond;
    const codes = errorsOf(h);
    await expect(failing(h)).rejects.toMatchObject({ code });
    expect(codes).toEqual([code]);
    const state = isFinal ? 'closed' : 'reconnecting';
    expect(h.client.getStatus()).toMatchObject({ state, reason: code });
  });

  it('that comes once other attempts have begun is told, and changes the transport, once', async () => {
    const h = harness({ reconnect: { delaysMs: [1] } });
    const responses: ((response: Response) => void)[] = [];
    h.runtime.fetch = () => new Promise((resolve) => responses.push(resolve));
    errorsOf(h);
    const told = h.client.connect().catch(({ code }: ClientError) => code);
    await settled();
    for (let attempt = 0; attempt < 3; attempt++) {
      h.socket.end();
      await settled();
      await h.runtime.advance(1);
    }
    expect(h.client.getStatus().transport).toBe('websocket');
    for (const respond of responses.splice(0)) respond(await answer(426, 'upgrade_required')());
    await settled();
    expect(await told).toBe('upgrade_failed');
    expect(h.client.getStatus()).toMatchObject({ transport: 'sse', reason: 'upgrade_failed' });
  });

  it('that comes once the application has connected anew leaves the new attempt its own reason', async () => {
    const h = harness({ reconnect: false, transports: ['websocket'] });
    const responses: ((response: Response) => void)[] = [];
    h.runtime.fetch = () => new Promise((resolve) => responses.push(resolve));
    errorsOf(h);
    const connect = () => h.client.connect().catch(({ code }: ClientError) => code);
    const respond = async () => {
      responses.shift()?.(await answer(426, 'upgrade_required')());
      await settled();
    };
    void connect();
    await settled();
    h.socket.end();
    await settled();
    h.client.close();
    const told = connect();
    await settled();
    await respond();
    h.socket.end();
    await settled();
    await respond();
    expect(h.client.getStatus()).toMatchObject({ state: 'closed', reason: 'upgrade_failed' });
    expect(await told).toBe('upgrade_failed');
  });

  it('an absent gateway, in React Native, whose URL has no origin', async () => {
    class NativeUrl extends URL {
      override get origin(): string {
        throw new Error('URL.origin is not implemented');
      }
    }
    vi.stubGlobal('URL', NativeUrl);
    onTestFinished(() => void vi.unstubAllGlobals());
    const h = harness({ reconnect: false });
    errorsOf(h);
    await expect(failing(h)).rejects.toMatchObject({ code: 'gateway_unreachable' });
    expect(h.client.getStatus()).toMatchObject({ state: 'closed', reason: 'gateway_unreachable' });
  });

  it('a response that a page of this origin may not read', async () => {
    const h = harness();
    h.runtime.fetch = vi.fn<typeof fetch>(async (_, init) => {
      if (init?.mode !== 'no-cors') throw new TypeError('CORS');
      return Object.defineProperty(new Response(), 'type', { value: 'opaque' });
    });
    const codes = errorsOf(h);
    await expect(failing(h)).rejects.toMatchObject({ code: 'answer_hidden' });
    expect(codes).toEqual(['answer_hidden']);
  });

  it('once, and again only when it is another', async () => {
    const h = await lost();
    const codes = errorsOf(h);
    await failAfter(h, 1_000, 2_000, 4_000);
    expect(codes).toEqual(['gateway_unreachable']);
    h.runtime.fetch = answer(505);
    await failAfter(h, 8_000);
    expect(codes).toEqual(['gateway_unreachable', 'http_version']);
  });

  it('a URL that is none, at once', () => {
    for (const url of ['ftp://gateway.test/ws', 'not a url', '/ws']) {
      expect(() => harness({ url })).toThrow(expect.objectContaining({ code: 'invalid_url' }));
    }
  });

  it('a URL that the platform refuses, finally', async () => {
    const { client } = harness({
      WebSocket: class {
        constructor() {
          throw new DOMException('insecure', 'SecurityError');
        }
      },
    });
    client.onError(() => {});
    const reason = { code: 'socket_refused', message: 'insecure' };
    await expect(client.connect()).rejects.toMatchObject(reason);
    expect(client.getStatus().state).toBe('closed');
  });

  it('by the promise of connect(), while the client goes on trying', async () => {
    const h = harness({ token: () => Promise.reject(new Error('no session')) });
    errorsOf(h);
    const reason = { code: 'token_failed', message: 'no session', cause: new Error('no session') };
    await expect(h.client.connect()).rejects.toMatchObject(reason);
    const changes: StateChange[] = [];
    h.client.on('state', (change) => changes.push(change));
    await h.runtime.advance(1_000);
    expect(changes.at(-1)).toMatchObject({ state: 'reconnecting', attempts: 2, reason: 'token_failed' });
  });
});

describe('surroundings that change', () => {
  it('end a wait at once', async () => {
    const h = await lost();
    h.runtime.notice();
    await settled();
    expect(h.sockets).toHaveLength(2);
  });

  it('do not end a wait that the gateway asked for', async () => {
    const h = harness();
    await h.arrive();
    h.socket.push({ kind: 'goingAway', reconnectDelayMs: 7_000, reason: 'going_away' });
    h.socket.end(4000);
    h.runtime.notice();
    await settled();
    expect(h.sockets).toHaveLength(1);
  });

  it('start an older attempt again, and leave a younger one alone', async () => {
    const h = await lost();
    await h.runtime.advance(1_000);
    expect(h.sockets).toHaveLength(2);
    await h.runtime.advance(999);
    h.runtime.notice();
    await settled();
    expect(h.sockets).toHaveLength(2);
    await h.runtime.advance(1);
    h.runtime.notice();
    await settled();
    expect(h.sockets).toHaveLength(3);
    expect(h.sockets[1]?.closedBy).toBeDefined();
    h.socket.greet();
    expect(h.client.getStatus().state).toBe('connected');
  });

  it('begin the next attempt at once where one that had just begun fails, and only then', async () => {
    const h = await lost({ reconnect: { delaysMs: [60_000] } });
    h.runtime.notice();
    await settled();
    expect(h.sockets).toHaveLength(2);
    h.runtime.notice();
    h.socket.end(1006);
    await h.runtime.advance(0);
    expect(h.sockets).toHaveLength(3);
    h.socket.end(1006);
    await h.runtime.advance(59_999);
    expect(h.sockets).toHaveLength(3);
  });

  it('show a dead connection within two seconds', async () => {
    const h = harness();
    await h.arrive();
    h.socket.reply('ping', { kind: 'pong', timeMs: 1 });
    await h.runtime.advance(5_000);
    h.runtime.notice();
    expect(h.socket.count('ping')).toBe(2);
    await h.runtime.advance(1_999);
    h.runtime.notice();
    expect(h.client.getStatus().state).toBe('connected');
    await h.runtime.advance(1);
    expect(h.client.getStatus()).toMatchObject({ state: 'reconnecting', reason: 'heartbeat_timeout' });
  });

  it('leave a connection open that responds', async () => {
    const h = harness();
    await h.arrive();
    await h.runtime.advance(5_000);
    h.runtime.notice();
    h.socket.reply('ping', { kind: 'pong', timeMs: 1 });
    await h.runtime.advance(24_000);
    expect([h.client.getStatus().state, h.socket.count('ping')]).toEqual(['connected', 2]);
  });

  it('are noticed by the clocks too, after a sleep', async () => {
    const asleep = await lost({ reconnect: { delaysMs: [60_000] } });
    await asleep.runtime.advance(500);
    asleep.runtime.sleep(20_000);
    await asleep.runtime.advance(0);
    expect(asleep.sockets).toHaveLength(2);
    const awake = await lost({ reconnect: { delaysMs: [60_000] } });
    await awake.runtime.advance(500);
    awake.runtime.sleep(2_000);
    await awake.runtime.advance(0);
    expect(awake.sockets).toHaveLength(1);
  });

  it('are nothing to a closed client', async () => {
    const h = await lost();
    h.client.close();
    h.runtime.notice();
    await h.runtime.advance(60_000);
    expect([h.sockets.length, h.runtime.timers, h.runtime.watchers]).toEqual([1, 0, 0]);
  });
});

describe('a token', () => {
  const refuse = async (h: Harness, code: string, number: number, retry: boolean, retryAfterMs?: number) => {
    void h.client.connect();
    await settled();
    h.socket.onopen?.();
    h.socket.push({ kind: 'connected', session: 's', timeMs: 1, version: '', limits: noLimits });
    h.socket.reply('connect', { kind: 'error', code, number, message: code, retry, retryAfterMs });
    await settled();
  };
  const noLimits = {
    frameMaxBytes: 1e6,
    payloadMaxBytes: 1e6,
    subscriptions: 1,
    commandsPerSecond: 1,
    idleTimeoutMs: 1,
  };

  /** No heartbeat disturbs. */
  const heartbeat = { intervalMs: 1e9, timeoutMs: 1e9 };
  /** Connects it, with a token that expires in 20 s. */
  async function greeted(h: Harness): Promise<void> {
    void h.client.connect();
    await settled();
    h.socket.greet({ expiresMs: h.runtime.now() + 20_000, timeMs: h.runtime.now() });
  }

  it.each(['token_expired', 'unauthorized'])(
    'that is refused as %s may be followed by another',
    async (code) => {
      let count = 0;
      const h = harness({ token: () => `token-${++count}` });
      errorsOf(h);
      await refuse(h, code, 111, false);
      expect(h.client.getStatus()).toMatchObject({ state: 'reconnecting', reason: code });
      await h.runtime.advance(1_000);
      h.socket.greet();
      expect(h.socket.command('connect').token).toBe('token-2');
    },
  );

  it.each(['token_expired', 'unauthorized'])('that is fixed is refused as %s, finally', async (code) => {
    const h = harness({ token: 'fixed' });
    errorsOf(h);
    await refuse(h, code, 111, false);
    expect(h.client.getStatus()).toMatchObject({ state: 'closed', reason: code });
  });

  it('that is not valid yet is brought again when it is', async () => {
    const h = harness({ token: 'fixed' });
    errorsOf(h);
    await refuse(h, 'token_not_yet_valid', 116, true, 3_000);
    expect(waitMs(h)).toBe(3_000);
  });

  it.each([5, {}, true])('that is no text (%o) fails its attempt, and nothing else', async (token) => {
    const h = harness({ token: () => token as unknown as string });
    errorsOf(h);
    await expect(h.client.connect()).rejects.toMatchObject({ code: 'token_failed' });
    expect([h.client.getStatus().state, h.sockets.length]).toEqual(['reconnecting', 0]);
  });

  it('that can not be had for a refresh is asked for again, and the old one holds', async () => {
    let count = 0;
    const h = harness({
      token: async () => {
        if (++count === 2) throw new Error('no');
        return `token-${count}`;
      },
      heartbeat,
    });
    const codes = errorsOf(h);
    await greeted(h);
    await h.runtime.advance(15_000);
    expect([codes, h.socket.count('refresh')]).toEqual([['token_failed'], 0]);
    await h.runtime.advance(1_000);
    expect(h.socket.command('refresh').token).toBe('token-3');
    h.socket.reply('refresh', { kind: 'refreshed', expiresMs: h.runtime.now() + 40_000 });
    await settled();
    await h.runtime.advance(30_000);
    expect(h.socket.command('refresh').token).toBe('token-4');
    expect(h.client.getStatus().state).toBe('connected');
  });

  it('that comes after the connection was lost is not handed over', async () => {
    let give: (token: string) => void = () => {};
    let count = 0;
    const h = harness({
      token: () => (++count === 2 ? new Promise<string>((resolve) => (give = resolve)) : `token-${count}`),
      heartbeat,
    });
    await greeted(h);
    await h.runtime.advance(15_000);
    h.socket.end();
    give('late');
    await h.runtime.advance(1_000);
    h.socket.greet();
    await h.runtime.advance(60_000);
    expect(h.sockets.map((socket) => socket.count('refresh'))).toEqual([0, 0]);
  });

  it.each(['taken', 'refused', 'not there'])(
    'is not cared for after the loss: the last one was %s',
    async (how) => {
      let count = 0;
      let fail: (error: Error) => void = () => {};
      const h = harness({
        token: () => {
          if (++count === 2 && how === 'not there') return new Promise((_, reject) => (fail = reject));
          return `token-${count}`;
        },
        heartbeat,
        reconnect: { delaysMs: [1e9] },
      });
      const codes = errorsOf(h);
      await greeted(h);
      await h.runtime.advance(15_000);
      if (how === 'taken')
        h.socket.reply('refresh', { kind: 'refreshed', expiresMs: h.runtime.now() + 20_000 });
      const error = { code: 'forbidden', number: 112, message: '', retry: false };
      if (how === 'refused') h.socket.reply('refresh', { kind: 'error', ...error });
      h.socket.end();
      fail(new Error('no'));
      await h.runtime.advance(60_000);
      expect([count, codes]).toEqual([2, []]);
    },
  );

  it('whose refresh the gateway takes is another chance for what was refused', async () => {
    let count = 0;
    const h = harness({ token: () => `token-${++count}`, heartbeat });
    errorsOf(h);
    await greeted(h);
    h.client.subscribe('a');
    await settled();
    const error = { code: 'forbidden', number: 112, message: 'no', retry: false };
    h.socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error }] });
    await h.runtime.advance(15_000);
    expect(h.socket.count('subscribe')).toBe(1);
    h.socket.reply('refresh', { kind: 'refreshed' });
    await settled();
    expect(h.socket.count('subscribe')).toBe(2);
  });
});

describe('listeners', () => {
  it('whose promises reject do no harm; the fault is reported', async () => {
    const h = harness();
    const errors: ClientError[] = [];
    h.client.onError((error) => errors.push(error));
    h.client.onConnect(async () => {
      throw new Error('mine');
    });
    await h.arrive();
    expect(errors).toMatchObject([{ code: 'listener_failed', cause: new Error('mine') }]);
  });
});
