import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

let gateway: TestGateway;

function connect(localAddress?: string, query = ''): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl + query, [], { localAddress }));
}

/** The answer to an upgrade. */
async function upgrade(localAddress?: string, path?: string) {
  const socket = await opened(RawSocket.open(gateway.port, localAddress));
  await socket.send(upgradeRequest({ path }));
  return socket.answer();
}

/** The answer to a plain GET of the same URL. */
async function explain(localAddress?: string, path = '/ws') {
  const socket = await opened(RawSocket.open(gateway.port, localAddress));
  await socket.send(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  return socket.answer();
}

const rejected = (reason: string) => gateway.metric(`sluice_connections_rejected_total{reason="${reason}"}`);

async function token(user: string, expiresIn = '1h', claims: object = { topics: [] }): Promise<string> {
  return signToken({ sub: user, ...claims }, { expiresIn });
}

const open = () => gateway.metric('sluice_connections');

describe('the cap on all connections', () => {
  it('refuses before the upgrade with 503, when to come back, and JSON; a plain GET tells the same', async () => {
    gateway = await gatewayOfTest({ connectionsMax: 2 });
    await connect('127.0.0.2');
    await connect('127.0.0.3');
    for (const answer of [await upgrade('127.0.0.4'), await explain('127.0.0.4')]) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'too_many_connections' } });
    }
    expect(await rejected('too_many_connections')).toBe(1);
    expect(await open()).toBe(2);
  });

  it('counts a connection out when it closes, in order or abruptly, and never twice', async () => {
    gateway = await gatewayOfTest({ connectionsMax: 2, handshakesPerSecondPerIp: 1000 });
    const [closing] = [await connect(), await connect()];
    await closing.close();
    await expect.poll(open).toBe(1);
    const abrupt = await connect();
    expect((await upgrade()).status).toBe(503);
    abrupt.socket.terminate();
    await expect.poll(open).toBe(1);
    for (let i = 0; i < 20; i++) {
      const client = await connect();
      client.socket.terminate();
      await expect.poll(open).toBe(1);
    }
    await connect();
    expect((await upgrade()).status).toBe(503);
  });
});

describe('the cap per address', () => {
  it('refuses the address with 429 and no other', async () => {
    gateway = await gatewayOfTest({ connectionsMaxPerIp: 2 });
    await connect('127.0.0.2');
    const second = await connect('127.0.0.2');
    for (const answer of [await upgrade('127.0.0.2'), await explain('127.0.0.2')]) {
      expect(answer.status).toBe(429);
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'too_many_connections_from_ip' } });
    }
    expect(await rejected('too_many_connections_from_ip')).toBe(1);
    expect((await explain('127.0.0.3')).status).toBe(426);
    await connect('127.0.0.3');
    second.socket.terminate();
    await expect.poll(open).toBe(2);
    await connect('127.0.0.2');
    expect((await upgrade('127.0.0.2')).status).toBe(429);
  });

  it('counts by what a trusted proxy says, and not by what others say', async () => {
    gateway = await gatewayOfTest({
      connectionsMaxPerIp: 1,
      trustedProxies: '127.0.0.9',
      tokenSecret,
      anonymous: true,
    });
    const from = async (peer: string, forwarded: string) => {
      const socket = await opened(RawSocket.open(gateway.port, peer));
      await socket.send(upgradeRequest({ headers: [`X-Forwarded-For: ${forwarded}`] }));
      await socket.until((text) => text.includes('\r\n\r\n'));
      return Number(socket.text.split(' ')[1]);
    };
    expect(await from('127.0.0.9', '203.0.113.1')).toBe(101);
    expect(await from('127.0.0.9', '203.0.113.2')).toBe(101);
    expect(await from('127.0.0.9', '203.0.113.2')).toBe(429);
    expect(await from('127.0.0.9', '2001:db8::1')).toBe(101);
    expect(await from('127.0.0.9', '2001:db8::ffff')).toBe(429);
    expect(await from('127.0.0.9', '2001:db8:0:1::1')).toBe(101);
    // Before the proxy's line a client may send one of its own.
    const own = (n: number) => `198.51.100.${n}\r\nX-Forwarded-For: 203.0.113.5`;
    expect(await from('127.0.0.9', own(1))).toBe(101);
    expect(await from('127.0.0.9', own(2))).toBe(429);
    expect(await from('127.0.0.8', '203.0.113.3')).toBe(101);
    expect(await from('127.0.0.8', '203.0.113.4')).toBe(429);
  });
});

describe('the cap per user', () => {
  it('refuses the user by the token of the upgrade with 429, wherever they come from', async () => {
    gateway = await gatewayOfTest({ connectionsMaxPerUser: 2, tokenSecret });
    const path = `/ws?token=${await token('alice')}`;
    const query = path.slice('/ws'.length);
    await connect('127.0.0.2', query);
    const second = await connect('127.0.0.3', query);
    for (const answer of [await upgrade('127.0.0.4', path), await explain('127.0.0.4', path)]) {
      expect(answer.status).toBe(429);
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'too_many_connections_of_user' } });
    }
    expect(await rejected('too_many_connections_of_user')).toBe(1);
    await connect('127.0.0.2', `?token=${await token('bob')}`);
    second.socket.terminate();
    await expect.poll(open).toBe(2);
    await connect('127.0.0.2', query);
  });

  it('refuses the user by the token of connect, and the session stays who it was', async () => {
    gateway = await gatewayOfTest({ connectionsMaxPerUser: 1, tokenSecret, anonymous: true });
    const alice = await token('alice');
    const first = await connect();
    expect(await first.call({ type: 'connect', token: alice })).toMatchObject({ user: 'alice' });
    const second = await connect();
    expect(await second.call({ type: 'connect', token: alice })).toMatchObject({
      type: 'error',
      code: 'too_many_connections_of_user',
      retry: true,
    });
    expect((await second.call({ type: 'status' }))['user']).toBeUndefined();
    first.socket.terminate();
    await expect.poll(open).toBe(1);
    const third = await connect();
    expect(await third.call({ type: 'connect', token: alice })).toMatchObject({ user: 'alice' });
    // Nor does a token that it may not use give it the place of that user.
    const bob = await token('bob');
    expect(await second.call({ type: 'refresh', token: bob })).toMatchObject({ code: 'forbidden' });
    const fourth = await connect();
    expect(await fourth.call({ type: 'connect', token: bob })).toMatchObject({ user: 'bob' });
  });

  it('is not used up by connections that end while their token is looked at', async () => {
    gateway = await gatewayOfTest({
      connectionsMaxPerUser: 2,
      tokenSecret,
      anonymous: true,
      handshakesPerSecondPerIp: 1000,
    });
    const alice = await token('alice');
    for (let i = 0; i < 30; i++) {
      const socket = await opened(RawSocket.webSocket(gateway.port));
      // One segment: the close frame is read in the turn in which the token begins to be verified.
      socket.send(
        Buffer.concat([
          masked(1, JSON.stringify({ type: 'connect', id: 1, token: alice })),
          masked(1, JSON.stringify({ type: 'subscribe', id: 2, topic: 'left' })),
          masked(8, ''),
        ]),
      );
      await socket.end();
    }
    await expect.poll(open).toBe(0);
    const client = await connect();
    expect(await client.call({ type: 'connect', token: alice })).toMatchObject({ user: 'alice' });
    expect(await gateway.metric('sluice_subscriptions')).toBe(2);
  });
});

function masked(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const length =
    payload.length < 126
      ? Buffer.of(0x80 | payload.length)
      : Buffer.of(0x80 | 126, payload.length >> 8, payload.length & 0xff);
  return Buffer.concat([Buffer.of(0x80 | opcode), length, Buffer.alloc(4), payload]);
}

describe('a token of the upgrade', () => {
  it('that is refused is told before the upgrade, and to a plain GET', async () => {
    gateway = await gatewayOfTest({ tokenSecret, tokenClockToleranceSeconds: 0 });
    const expired = `/ws?token=${await token('alice', '-1s')}`;
    for (const answer of [await upgrade(undefined, expired), await explain(undefined, expired)]) {
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'token_expired' } });
    }
    const forged = `/ws?token=${await token('alice')}x`;
    for (const answer of [await upgrade(undefined, forged), await explain(undefined, forged)]) {
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'unauthorized' } });
      expect(answer.body).not.toContain(forged.slice(-20));
    }
    expect(await rejected('token_expired')).toBe(1);
    expect(await rejected('unauthorized')).toBe(1);
    expect((await explain(undefined, `/ws?token=${await token('alice')}`)).status).toBe(426);
  });

  it('is told to pages of listed origins only', async () => {
    gateway = await gatewayOfTest({ tokenSecret, origins: 'https://dash.example.org' });
    const url = `${gateway.url}/ws?token=x.y.z`;
    const listed = await fetch(url, { headers: { origin: 'https://dash.example.org' } });
    expect(listed.status).toBe(401);
    expect(listed.headers.get('access-control-allow-origin')).toBe('https://dash.example.org');
    expect(listed.headers.get('access-control-expose-headers')).toContain('Retry-After');
    const foreign = await fetch(url, { headers: { origin: 'https://evil.example.org' } });
    expect(foreign.status).toBe(403);
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('the rate of handshakes per address', () => {
  it('refuses with 429 and when to come back, and no other address', async () => {
    gateway = await gatewayOfTest({ handshakesPerSecondPerIp: 1, connectionsMaxPerIp: 3 });
    for (let i = 0; i < 3; i++) {
      const client = await connect('127.0.0.2');
      await client.close();
    }
    const answer = await upgrade('127.0.0.2');
    expect(answer.status).toBe(429);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'rate_limited' } });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await rejected('rate_limited')).toBe(1);
    await connect('127.0.0.3');
    await expect.poll(async () => (await upgrade('127.0.0.2')).status, { interval: 100 }).toBe(101);
  });

  it('is not used up by asking', async () => {
    gateway = await gatewayOfTest({ handshakesPerSecondPerIp: 1, connectionsMaxPerIp: 3 });
    for (let i = 0; i < 10; i++) expect((await explain('127.0.0.2')).status).toBe(426);
    const upgrades = await Promise.all([1, 2, 3, 4].map(() => upgrade('127.0.0.2')));
    expect(upgrades.map(({ status }) => status).sort()).toEqual([101, 101, 101, 429]);
    // Full and out of handshakes: neither the question nor its repetition changes what it tells.
    for (let i = 0; i < 3; i++) expect((await explain('127.0.0.2')).status).toBe(429);
    expect((await explain('127.0.0.3')).status).toBe(426);
  });
});

describe('views with a filter', () => {
  const filtered = (topic: string, prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      topic,
      filter: { op: 'eq', tag: 'room', value: `${prefix}${i}` },
    }));
  const granted = (reply: Frame) =>
    (reply['results'] as { error?: { code: string } }[]).filter(({ error }) => error === undefined).length;

  it('of clients without a token leave room for others, and plain subscriptions always have it', async () => {
    gateway = await gatewayOfTest({ tokenSecret, anonymous: true });
    for (const address of ['127.0.0.1', '127.0.0.1', '127.0.0.2', '127.0.0.3']) {
      const client = await connect(address);
      const reply = await client.call({
        type: 'subscribe',
        subscriptions: filtered('stats', client.texts[0]!, 64),
      });
      expect(granted(reply)).toBeLessThanOrEqual(16);
      expect(JSON.stringify(reply)).toContain('too_many_views');
    }
    const claims = { topics: [{ pattern: '*', allow: ['subscribe'] }] };
    const alice = await connect(undefined, `?token=${await token('alice', '1h', claims)}`);
    expect(
      granted(await alice.call({ type: 'subscribe', subscriptions: filtered('stats', 'alice', 16) })),
    ).toBe(16);
    const plain = await connect();
    const own = await plain.until((frame) => frame.type === 'subscribed');
    expect(own['results']).toMatchObject([{ topic: '$all' }]);
    const topics = ['stats', 'st*', '$all'].map((topic) => ({ topic }));
    expect(granted(await plain.call({ type: 'subscribe', subscriptions: topics }))).toBe(3);
  });
});

describe('the cap on topics', () => {
  const publish = async (topic: string) =>
    (await gateway.post('/api/publish', JSON.stringify({ topic, type: 'update', data: 1 }))).status;

  it('is not used up by subscriptions to topics that do not exist, nor overrun by publishing to them', async () => {
    gateway = await gatewayOfTest({ topicsMax: 4 });
    const client = await connect();
    const names = Array.from({ length: 8 }, (_, i) => `absent:${i}`);
    const subscriptions = names.map((topic) => ({ topic }));
    expect(await client.call({ type: 'subscribe', subscriptions })).toMatchObject({ type: 'subscribed' });
    await fetch(`${gateway.url}/readyz`);
    expect([await publish('new'), await gateway.metric('sluice_topics')]).toEqual([200, 1]);
    const statuses: number[] = [];
    for (const name of names) statuses.push(await publish(name));
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429, 429, 429]);
    expect([await publish('new'), await gateway.metric('sluice_topics')]).toEqual([200, 4]);
  });
});
