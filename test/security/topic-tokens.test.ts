import { generateKeyPairSync } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { gatewayOfFile } from '../support/sdk.ts';
import { newFile } from '../support/temporary.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const gateway = gatewayOfFile({
  apiKeys: [apiKey],
  tokenSecret,
  tokenKeysFile: newFile('keys.pem', String(pair.publicKey.export({ type: 'spki', format: 'pem' }))),
  tokenClockToleranceSeconds: 0,
});

/** Signed with a key whose public part the gateway has: verified in a later turn. */
const signByKey = (claims: JWTPayload) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(pair.privateKey);

async function alice(): Promise<JsonClient> {
  return JsonClient.open(`${gateway.wsUrl}?token=${await signToken({ sub: 'alice' })}`);
}

async function resultOf(client: JsonClient, subscription: Record<string, unknown>) {
  const reply = await client.call({ type: 'subscribe', ...subscription });
  const [result] = (reply['results'] ?? [{ error: reply }]) as { error?: { code: string }; view?: number }[];
  return result;
}

const publish = (topic: string, tags: Record<string, string>, data: unknown) =>
  gateway.publish({ topic, type: 'e', tags, data }, { 'x-api-key': apiKey });

test.each([
  ['HS256', (claims: JWTPayload) => signToken(claims)],
  ['ES256', signByKey],
])('a topic token (%s) lets a session subscribe where it may not otherwise', async (_, sign) => {
  const client = await alice();
  expect((await resultOf(client, { topic: 'room:1' }))?.error?.code).toBe('forbidden');
  const token = await sign({ topic: 'room:1' });
  expect((await resultOf(client, { topic: 'room:1', token }))?.view).toBeGreaterThan(0);
  expect((await resultOf(client, { topic: 'room:2', token }))?.error?.code).toBe('forbidden');
  await publish('room:1', {}, 'hello');
  expect(await client.count('room:1', 1)).toMatchObject([{ data: 'hello' }]);
});

test('a pattern covers topics and narrower patterns, and nothing else', async () => {
  const client = await alice();
  const token = await signToken({ topic: 'team:7:*' });
  for (const topic of ['team:7:a', 'team:7:*', 'team:7:b*'])
    expect((await resultOf(client, { topic, token }))?.view).toBeGreaterThan(0);
  for (const topic of ['team:*', 'team:70', 'team:8:a', '*'])
    expect((await resultOf(client, { topic, token }))?.error?.code).toBe('forbidden');
});

test('the filter of a topic token can be narrowed, and never widened', async () => {
  const token = await signToken({ topic: 'tickets', filter: { op: 'eq', tag: 'team', value: 'a' } });
  const clients = [await alice(), await alice(), await alice()];
  const filters = [
    undefined,
    { op: 'exists', tag: 'team' },
    {
      op: 'and',
      filters: [
        { op: 'exists', tag: 'team' },
        { op: 'eq', tag: 'urgent', value: 'yes' },
      ],
    },
  ];
  for (const [i, client] of clients.entries())
    expect((await resultOf(client, { topic: 'tickets', token, filter: filters[i] }))?.view).toBeGreaterThan(
      0,
    );
  await publish('tickets', { team: 'b', urgent: 'yes' }, 1);
  await publish('tickets', { team: 'a' }, 2);
  await publish('tickets', { team: 'a', urgent: 'yes' }, 3);
  const seen = await Promise.all(
    clients.map(async (client, i) =>
      (await client.count('tickets', i === 2 ? 1 : 2)).map(({ data }) => data),
    ),
  );
  expect(seen).toEqual([[2, 3], [2, 3], [3]]);
});

test('a topic token names a user, or is for its bearer', async () => {
  const client = await alice();
  const ofBob = await signToken({ topic: 'room:1', sub: 'bob' });
  const ofAlice = await signToken({ topic: 'room:1', sub: 'alice' });
  expect((await resultOf(client, { topic: 'room:1', token: ofBob }))?.error?.code).toBe('forbidden');
  expect((await resultOf(client, { topic: 'room:1', token: ofAlice }))?.view).toBeGreaterThan(0);
});

test('a topic token opens no connection and no other route, even if it names a user', async () => {
  const token = await signToken({
    topic: 'room:1',
    sub: 'alice',
    topics: [{ pattern: '*', allow: ['publish'] }],
  });
  const response = await fetch(`${gateway.url}/ws?token=${token}`);
  expect(response.status).toBe(401);
  const published = await gateway.post('/api/publish', '{"topic":"room:1"}', {
    authorization: `Bearer ${token}`,
  });
  expect(published.status).toBe(401);
});

test('what is no topic token is refused, and harms no other subscription of the command', async () => {
  const client = await alice();
  const good = await signToken({ topic: 'room:9' });
  const bad: string[] = [
    await signToken({ sub: 'alice', topics: [{ pattern: 'room:*', allow: ['subscribe'] }] }),
    await signToken({ topic: 'room:1' }, { secret: 'another secret of at least 32 bytes!' }),
    await signToken({ topic: '$all' }),
    await signToken({ topic: 'room:1', filter: { op: 'nonsense' } }),
    await signToken({ topic: 'user:bob' }),
    'nonsense',
  ];
  const reply = await client.call({
    type: 'subscribe',
    subscriptions: [
      ...bad.map((token, i) => ({ topic: i === 4 ? 'user:bob' : 'room:1', token })),
      { topic: 'room:9', token: good },
    ],
  });
  const codes = (reply['results'] as { error?: { code: string } }[]).map(({ error }) => error?.code);
  expect(codes).toEqual([...Array(4).fill('unauthorized'), 'forbidden', 'unauthorized', undefined]);
});

test('a topic token is refused by a gateway that takes only keys', async () => {
  const keyed = await startGateway({ apiKeys: [apiKey] });
  onTestFinished(() => keyed.close());
  const client = await JsonClient.open(keyed.wsUrl, [], { headers: { authorization: `Bearer ${apiKey}` } });
  const token = await signToken({ topic: 'room:1' });
  expect(await resultOf(client, { topic: 'room:1', token })).toMatchObject({
    error: { code: 'unauthorized' },
  });
  expect(await resultOf(client, { topic: 'room:1' })).toHaveProperty('view');
});

test.each([
  ['fewer than', 9, true],
  ['as many as', 10, false],
])('of %s ten refused tokens of a command the next is looked at', async (_, refused, isLookedAt) => {
  const client = await alice();
  const token = await signToken({ topic: `limit:${refused}` });
  const reply = await client.call({
    type: 'subscribe',
    subscriptions: [
      ...Array.from({ length: refused }, (__, i) => ({ topic: `bad:${i}`, token: `nonsense ${i}` })),
      { topic: `limit:${refused}`, token },
    ],
  });
  expect('view' in (reply['results'] as object[]).at(-1)!).toBe(isLookedAt);
});

test('a topic token ends what it permitted when it expires, and nothing else', async () => {
  const client = await alice();
  const token = await signToken({ topic: 'short', exp: Math.floor(Date.now() / 1000) + 5 });
  const view = (await resultOf(client, { topic: 'short', token }))?.view;
  const ended = await client.until(({ type }) => type === 'unsubscribed');
  expect(ended).toMatchObject({ views: [view], reason: 'expired' });
  expect((await resultOf(client, { topic: 'short', token }))?.error?.code).toBe('token_expired');
  expect(await client.call({ type: 'ping' })).toMatchObject({ type: 'pong' });
});

test('a topic token may be revoked, and outlives a new token of the connection', async () => {
  const client = await alice();
  const token = await signToken({ topic: 'lasting', jti: 'topic-1' });
  const view = (await resultOf(client, { topic: 'lasting', token }))?.view;
  await client.call({ type: 'refresh', token: await signToken({ sub: 'alice', jti: 'next' }) });
  await publish('lasting', {}, 1);
  expect(await client.count('lasting', 1)).toHaveLength(1);
  await gateway.post('/api/tokens/revoke', '{"jti":"topic-1"}', { 'x-api-key': apiKey });
  expect(await client.until(({ type }) => type === 'unsubscribed')).toMatchObject({
    views: [view],
    reason: 'forbidden',
  });
  expect((await resultOf(client, { topic: 'lasting', token }))?.error?.code).toBe('token_revoked');
});

test('a stream takes a topic token, too', async () => {
  const token = await signToken({ topic: 'streamed' });
  const response = await gateway.post(
    '/poll',
    JSON.stringify({ subscriptions: [{ topic: 'streamed', token, last: 1 }], timeoutSeconds: 0 }),
    { authorization: `Bearer ${await signToken({ sub: 'alice' })}` },
  );
  expect(await response.text()).toContain('"topic":"streamed"');
});
