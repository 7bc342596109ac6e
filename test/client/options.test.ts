import { afterEach, describe, expect, it, vi } from 'vitest';
import { SluiceClient } from '../../src/client/index.ts';
import { JsonClient } from '../../src/client/json/index.ts';
import { PageClient } from '../../src/client/page/index.ts';
import { FakeRuntime, FakeSocket, recordedSockets, settled } from './support/fakes.ts';

// In plain JavaScript null often means "none", where the types have `undefined`.

afterEach(() => void vi.unstubAllGlobals());

const clients = { SluiceClient, JsonClient, PageClient };

/** A client of this class whose every option is null, but for the fakes. */
function harness(name: keyof typeof clients, more: object = {}) {
  const runtime = new FakeRuntime();
  const { sockets, Recorded } = recordedSockets();
  const none = {
    token: null,
    reconnect: null,
    maxReconnectAttempts: null,
    jitter: null,
    transports: null,
    enableWebSocket: null,
    fallbackPollingInterval: null,
    heartbeat: null,
    offlineQueue: null,
    commandTimeoutMs: null,
    connectTimeoutMs: null,
    clientName: null,
    ...{
      worker: null,
      tabs: null,
      identity: null,
      leaderTimeoutMs: null,
      whenHidden: null,
      surroundings: null,
    },
  };
  const options = { ...none, WebSocket: Recorded, runtime, ...more } as unknown as object;
  const client = new clients[name]('ws://gateway.test/ws', options) as SluiceClient;
  client.on('error', () => undefined);
  const socket = () => sockets.at(-1) as FakeSocket;
  const arrive = async () => {
    void client.connect();
    await settled();
    socket().greet();
    await settled();
  };
  return { client, runtime, sockets, socket, arrive };
}

describe.each(Object.keys(clients) as (keyof typeof clients)[])(
  'null in place of an option of %s',
  (name) => {
    it('leaves its default: a command waits, pings come, and a lost connection comes back without end', async () => {
      const transports = ['websocket'];
      const { client, runtime, sockets, socket, arrive } = harness(name, { transports });
      await arrive();
      const presence = client.presence('t');
      await runtime.advance(9_000);
      socket().reply('presence', { kind: 'presence', topic: 't', members: [], count: 0 });
      expect((await presence).count).toBe(0);
      socket().reply('ping', { kind: 'pong', timeMs: 0 });
      await runtime.advance(25_000);
      expect(socket().count('ping')).toBe(2);
      for (let attempt = 1; attempt <= 12; attempt++) {
        const before = sockets.length;
        socket().end();
        await runtime.advance(60_000);
        expect(sockets.length).toBeGreaterThan(before);
      }
      client.close();
    });

    it('leaves its default within `reconnect` and `heartbeat`', async () => {
      const reconnect = { delaysMs: null, jitter: null, maxAttempts: null };
      const heartbeat = { intervalMs: null, timeoutMs: null };
      const { client, runtime, sockets, socket, arrive } = harness(name, { reconnect, heartbeat });
      await arrive();
      await runtime.advance(9_999);
      expect(sockets).toHaveLength(1);
      await runtime.advance(1);
      socket().end();
      await runtime.advance(30_000);
      expect(sockets.length).toBeGreaterThan(1);
      client.close();
    });

    it('counts as none in a call', async () => {
      const { client, socket, arrive } = harness(name);
      await arrive();
      const had: unknown[] = [];
      const nothing = null as unknown as undefined;
      client.subscribe('t', nothing, ({ data }) => had.push(data));
      client.subscribe('u', {
        filter: nothing,
        since: nothing,
        last: nothing,
        keys: nothing,
        cursor: nothing,
      });
      await settled();
      const asked = socket().frames.flatMap((frame) =>
        frame.kind === 'subscribe' ? frame.subscriptions : [],
      );
      expect(asked.map(({ topic }) => topic)).toEqual(['t', 'u']);
      void client.publish('t', 'e', 1, nothing).catch(() => undefined);
      void client
        .publish('t', 'e', 2, { key: nothing, messageId: nothing, timestampMs: nothing })
        .catch(() => {});
      void client.history('t', nothing).catch(() => undefined);
      await settled();
      expect(socket().count('publish')).toBe(2);
      expect(socket().command('publish')).not.toHaveProperty('timestampMs', 0);
      expect(socket().command('history').topic).toBe('t');
      client.close();
    });

    it('counts as none in place of all options', () => {
      vi.stubGlobal('WebSocket', FakeSocket);
      expect(() => new clients[name]('ws://gateway.test/ws', null as unknown as undefined)).not.toThrow();
    });
  },
);

const numbers = [
  ...[['commandTimeoutMs'], ['connectTimeoutMs'], ['maxReconnectAttempts'], ['fallbackPollingInterval']],
  ...[
    ['heartbeat', 'intervalMs'],
    ['heartbeat', 'timeoutMs'],
    ['reconnect', 'maxAttempts'],
  ],
  ['offlineQueue', 'maxEntries'],
] as const;
const wrongNumbers = [
  Number.NaN,
  -1,
  Number.NEGATIVE_INFINITY,
  '5',
  5n,
  true,
  {},
  [],
  [5],
  Symbol('5'),
  () => 5,
];

const withOption = ([name, inner]: readonly [string, string?], value: unknown): object => ({
  [name]: inner === undefined ? value : { [inner]: value },
});

describe.each(['SluiceClient', 'PageClient'] as const)('a wrong option of %s', (name) => {
  it.each(numbers)('is told at once by its name: %s %s', (...path) => {
    for (const value of wrongNumbers) {
      const make = () => harness(name, withOption(path as unknown as [string, string?], value));
      expect(make).toThrow(TypeError);
      expect(make).toThrow(`The option ${path.at(-1)} must be`);
    }
    for (const value of [1, 0.5 + 1, 1e12, Number.POSITIVE_INFINITY, undefined, null])
      expect(() => harness(name, withOption(path as unknown as [string, string?], value))).not.toThrow();
  });

  it('may be one of the delays', () => {
    expect(() => harness(name, { reconnect: { delaysMs: [1_000, Number.NaN] } })).toThrow('delaysMs must be');
  });

  it('that is no known word counts as none', async () => {
    const words = { jitter: 'some', transports: ['carrier', 'websocket'] };
    const { client, runtime, sockets, socket, arrive } = harness(name, words);
    runtime.randomValue = 0;
    await arrive();
    expect(client.getStatus().transport).toBe('websocket');
    socket().end();
    await runtime.advance(499);
    expect(sockets).toHaveLength(1);
    await runtime.advance(1);
    expect(sockets).toHaveLength(2);
    client.close();
  });

  it('is not one that says "at once" or "none"', () => {
    const least = { reconnect: { delaysMs: [0], maxAttempts: 0 }, offlineQueue: { maxEntries: 0 } };
    expect(() => harness(name, { ...least, fallbackPollingInterval: 0, transports: [] })).not.toThrow();
    expect(() => harness(name, { reconnect: false })).not.toThrow();
  });
});
