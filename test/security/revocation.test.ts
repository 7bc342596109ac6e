import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { HookServer, hookSecret } from '../support/hook-server.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { newFolder } from '../support/temporary.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const dataDir = newFolder();
const start = () => startGateway({ apiKeys: [apiKey], tokenSecret, engine: 'lmdb', dataDir });
const topics = [{ pattern: 'room:*', allow: ['subscribe', 'publish'] }];

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await start();
});

afterAll(() => gateway?.close());

async function post(path: string, body: unknown, key = apiKey, to = gateway) {
  const response = await to.post(path, JSON.stringify(body), { authorization: `Bearer ${key}` });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const open = (token: string) => opened(JsonClient.open(`${gateway.wsUrl}?token=${token}`));

/** What the gateway says to a client that asks whether it may connect. */
async function verdict(token: string): Promise<unknown> {
  const response = await fetch(`${gateway.url}/ws?token=${token}`);
  return ((await response.json()) as { error: { code: string } }).error.code;
}

const nowSeconds = () => Math.floor(Date.now() / 1000);

describe('a token that is revoked by its jti', () => {
  test('is refused by every door, and ends what it opened, whatever the transport', async () => {
    const token = await signToken({ sub: 'alice', jti: 't1', topics });
    const other = await signToken({ sub: 'alice', jti: 't2', topics });
    const client = await open(token);
    const stream = await fetch(`${gateway.url}/sse?topic=room:1&token=${token}`);
    const poll = fetch(`${gateway.url}/poll?topic=room:1&timeoutSeconds=25&token=${token}`);
    await expect.poll(() => gateway.metric('sluice_connections')).toBe(3);
    const stays = await open(other);
    expect(await post('/api/tokens/revoke', { jti: 't1' })).toMatchObject({
      status: 200,
      body: { jti: 't1', survivesRestarts: true },
    });
    expect(await client.end()).toMatchObject({ code: 4501 });
    expect(await stream.text()).toContain('goingAway');
    expect((await poll).status).toBeLessThan(500);
    expect(await verdict(token)).toBe('token_revoked');
    expect(await post('/api/publish', { topic: 'room:1' }, token)).toMatchObject({
      status: 401,
      body: { error: { code: 'token_revoked' } },
    });
    expect((await fetch(`${gateway.url}/sse?topic=room:1&token=${token}`)).status).toBe(401);
    expect(await stays.call({ type: 'ping' })).toMatchObject({ type: 'pong' });
    expect(await stays.call({ type: 'refresh', token })).toMatchObject({ code: 'token_revoked' });
  });

  test('may be restored', async () => {
    const token = await signToken({ sub: 'bob', jti: 't3' });
    await post('/api/tokens/revoke', { jti: 't3' });
    expect(await verdict(token)).toBe('token_revoked');
    expect((await post('/api/tokens/restore', { jti: 't3' })).status).toBe(200);
    expect(await verdict(token)).toBe('upgrade_required');
    expect((await post('/api/tokens/restore', { jti: 't3' })).status).toBe(404);
  });
});

describe('a user whose tokens are revoked', () => {
  test('needs one that was issued later', async () => {
    const before = await signToken({ sub: 'carol', iat: nowSeconds() - 10, topics });
    const undated = await signToken({ sub: 'carol', topics });
    const later = await signToken({ sub: 'carol', iat: nowSeconds() + 2, topics });
    const clients = [await open(before), await open(undated)];
    await post('/api/tokens/revoke', { user: 'carol' });
    for (const client of clients) expect(await client.end()).toMatchObject({ code: 4501 });
    expect(await Promise.all([before, undated, later].map(verdict))).toEqual([
      'token_revoked',
      'token_revoked',
      'upgrade_required',
    ]);
    expect(await verdict(await signToken({ sub: 'dave', iat: nowSeconds() - 10 }))).toBe('upgrade_required');
  });
});

describe('a client whose user the application has named', () => {
  let hooks: HookServer;
  let hooked: TestGateway;

  beforeAll(async () => {
    hooks = await HookServer.start();
    const access = { apiKeys: [apiKey], tokenSecret, anonymous: true };
    hooked = await startGateway({ ...access, hookConnect: hooks.url, hookSecret });
  });

  afterAll(async () => {
    await hooked?.close();
    hooks?.close();
  });

  const revoke = (body: object) => post('/api/tokens/revoke', body, apiKey, hooked);
  const connect = (token: string) =>
    opened(JsonClient.open(token === '' ? hooked.wsUrl : `${hooked.wsUrl}?token=${token}`));

  test.each(['on opening', 'by a command'])(
    'is ended when the user of its token is revoked: named %s',
    async (when) => {
      hooks.answer = ({ client }) => ({ allow: true, user: `named-${client['user']}` });
      const token = await signToken({ sub: 'erin', iat: nowSeconds() - 10 });
      const client = await connect(when === 'on opening' ? token : '');
      if (when !== 'on opening') await client.call({ type: 'connect', token });
      expect(client.frames.findLast(({ type }) => type === 'connected')).toMatchObject({
        user: 'named-erin',
      });
      await revoke({ user: 'erin' });
      expect(await client.end()).toMatchObject({ code: 4501 });
      await post('/api/tokens/restore', { user: 'erin' }, apiKey, hooked);
    },
  );

  test.each([{ jti: 'asked about' }, { user: 'heidi' }, { user: 'grace' }])(
    'is refused by a command if %j is revoked while the application is asked',
    async (revoked) => {
      hooks.answer = () => ({ allow: true });
      const client = await connect('');
      const asked = new Promise<() => void>((resolve) => {
        hooks.answer = () => new Promise((answer) => resolve(() => answer({ allow: true, user: 'grace' })));
      });
      const token = await signToken({ sub: 'heidi', jti: 'asked about' });
      const reply = client.call({ type: 'connect', token });
      const answer = await asked;
      const { body } = await revoke(revoked);
      await expect.poll(Date.now).toBeGreaterThan(Date.parse(String(body['revokedAt'])));
      answer();
      expect(await reply).toMatchObject({ code: 'token_revoked' });
      await post('/api/tokens/restore', revoked, apiKey, hooked);
    },
  );

  test('is ended when that user is revoked, may come again, and stays then, whatever else is revoked', async () => {
    hooks.answer = () => ({ allow: true, user: 'frank' });
    const client = await connect('');
    const { body } = await revoke({ user: 'frank' });
    expect(await client.end()).toMatchObject({ code: 4501 });
    await expect.poll(Date.now).toBeGreaterThan(Date.parse(String(body['revokedAt'])));
    const again = await connect('');
    await revoke({ jti: 'of another one' });
    expect(await again.call({ type: 'ping' })).toMatchObject({ type: 'pong' });
  });
});

describe('a revocation', () => {
  test('survives a restart with lmdb, and goes with the exp of the token', async () => {
    const exp = nowSeconds() + 3600;
    await post('/api/tokens/revoke', { jti: 't4', exp });
    await post('/api/tokens/revoke', { jti: 't5' });
    await gateway.close();
    gateway = await start();
    const response = await fetch(`${gateway.url}/api/tokens/revocations`, {
      headers: { 'x-api-key': apiKey },
    });
    const { revocations } = (await response.json()) as { revocations: { jti?: string; until?: string }[] };
    const of = (jti: string) => revocations.find((each) => each.jti === jti);
    // Five seconds longer, as the clocks of issuer and gateway may differ.
    expect(of('t4')?.until).toBe(new Date((exp + 5) * 1000).toISOString());
    expect(of('t5')).toMatchObject({ jti: 't5' });
    expect(of('t5')?.until).toBeUndefined();
    expect(await verdict(await signToken({ jti: 't5' }))).toBe('token_revoked');
  });

  test.each([
    ['of nothing', {}],
    ['of two things', { jti: 'a', user: 'b' }],
    ['of an empty id', { jti: '' }],
    ['of an id that is too long', { jti: 'x'.repeat(201) }],
    ['of a token that has expired', { jti: 'a', exp: 1 }],
    ['with an unknown member', { jti: 'a', until: 1 }],
  ])('%s is refused', async (_, body) => {
    expect(await post('/api/tokens/revoke', body)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request' } },
    });
  });

  test('is for administrators, and so is the list', async () => {
    const token = await signToken({ sub: 'eve', topics });
    expect((await post('/api/tokens/revoke', { jti: 't1' }, token)).status).toBe(403);
    const list = await fetch(`${gateway.url}/api/tokens/revocations`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(list.status).toBe(403);
    const client = await open(token);
    for (const topic of ['$revoked', '*'])
      expect(await client.call({ type: 'subscribe', topic })).toMatchObject({
        results: [{ error: { code: 'forbidden' } }],
      });
  });

  test('is forgotten by a restart with the engine memory, and says so', async () => {
    const memory = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    expect((await post('/api/tokens/revoke', { jti: 'a' }, apiKey, memory)).body).toMatchObject({
      survivesRestarts: false,
    });
  });
});
