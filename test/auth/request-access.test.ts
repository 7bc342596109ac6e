import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { type ApiKeys, apiKeys } from '../../src/auth/api-keys.ts';
import { createCredentials } from '../../src/auth/credentials.ts';
import { anonymousIdentity, localIdentity } from '../../src/auth/identity.ts';
import { loopbackAccess } from '../../src/auth/loopback-access.ts';
import { originPolicy } from '../../src/auth/origins.ts';
import type { ReportRefusal } from '../../src/auth/refusals.ts';
import { type AccessLevel, createRequestAccess } from '../../src/auth/request-access.ts';
import { requestedHost } from '../../src/auth/requested-host.ts';
import type { TokenVerifier } from '../../src/auth/tokens.ts';
import { SluiceError } from '../../src/errors.ts';
import { testTokens } from '../support/tokens.ts';
import { request } from './request.ts';

const key = 'a-key-of-some-length';
const secret = 'a secret of thirty-two bytes or more';
const noKeys = apiKeys([]);
const need = (access: AccessLevel, byToken = false) => ({
  access,
  byToken,
  mediaTypes: ['application/json'],
});
const isProxy = (peer: string) => peer === '127.0.0.2';
const makeAccess = (
  keys: ApiKeys = noKeys,
  tokens?: TokenVerifier,
  listed: readonly string[] = [],
  admitsAnonymous = false,
  refused: ReportRefusal = () => undefined,
) => {
  const origins = originPolicy(listed);
  return createRequestAccess({
    credentials: createCredentials(keys, tokens),
    origins,
    loopbackProblem: loopbackAccess({ origins, isProxy, suspected: () => undefined }),
    refused,
    requestedHostOf: requestedHost(isProxy),
    requesterOf: ({ peerAddress, header }) => ({ address: peerAddress, origin: header('origin') }),
    admitsAnonymous,
  });
};
const sign = (claims: Record<string, unknown>) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));

const nowMs = Date.parse('2026-01-01T00:00:00Z');
const keyed = apiKeys([{ key }, { name: 'publisher', key: 'another-key-of-length', scopes: ['publish'] }]);
const gateways = {
  bare: makeAccess(),
  keys: makeAccess(keyed),
  tokens: makeAccess(
    noKeys,
    testTokens(secret, () => nowMs),
  ),
  anonymous: makeAccess(keyed, undefined, [], true),
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const requests = {
  'this machine': request(),
  'this machine, by a proxy': request({ headers: { 'x-forwarded-for': '192.0.2.1' } }),
  'this machine, by a rebound name': request({ headers: { host: 'dash.example.org' } }),
  ...Object.fromEntries(
    Object.entries<Record<string, string>>({
      another: {},
      key: { 'x-api-key': key },
      'key, from a page and by a proxy': { ...bearer(key), origin: 'https://any.example', via: '1.1 proxy' },
      'key of a publisher': { 'x-api-key': 'another-key-of-length' },
      'wrong key': { 'x-api-key': 'wrong' },
      token: bearer(await sign({ sub: 'alice' })),
      'old token': bearer(await sign({ sub: 'alice', exp: nowMs / 1000 - 1 })),
      'no token': bearer('garbage'),
      'no token either': bearer('a.b.c'),
    }).map(([name, headers]) => [name, request({ peerAddress: '192.0.2.1', headers })]),
  ),
};

/** Who it is, or why not. */
async function verdict(
  gateway: keyof typeof gateways,
  from: string,
  access: AccessLevel,
  byToken: boolean,
): Promise<string | undefined> {
  const asking = requests[from as keyof typeof requests] as ReturnType<typeof request>;
  const answer = await gateways[gateway].check(asking, need(access, byToken));
  if (answer instanceof SluiceError) return answer.code;
  if (answer === localIdentity) return 'local';
  return answer === anonymousIdentity ? 'anonymous' : (answer.apiKey ?? answer.user);
}

/** What each may do: where a route admits tokens, it has a star. */
test.each<[gateway: keyof typeof gateways, from: string, Record<string, string>]>([
  ['bare', 'this machine', { local: 'publish read admin' }],
  ['bare', 'another', { anonymous: 'none', local_only: 'read metrics' }],
  ['bare', 'key', { local_only: 'read' }],
  ['keys', 'this machine', { local: 'metrics', unauthorized: 'read' }],
  ['keys', 'this machine, by a proxy', { unauthorized: 'metrics' }],
  ['keys', 'another', { unauthorized: 'metrics' }],
  ['keys', 'key', { 'key-1': 'metrics' }],
  ['keys', 'key, from a page and by a proxy', { 'key-1': 'admin' }],
  ['keys', 'key of a publisher', { publisher: 'publish', forbidden: 'admin metrics' }],
  ['keys', 'wrong key', { unauthorized: 'read' }],
  ['keys', 'token', { unauthorized: 'read*' }],
  ['tokens', 'this machine', { local: 'admin publish* metrics', unauthorized: 'read* read' }],
  ['tokens', 'this machine, by a rebound name', { unauthorized: 'metrics' }],
  ['tokens', 'another', { unauthorized: 'read* publish* metrics', local_only: 'admin' }],
  ['tokens', 'token', { alice: 'publish*', forbidden: 'admin metrics' }],
  ['tokens', 'no token', { unauthorized: 'read*' }],
  ['tokens', 'no token either', { unauthorized: 'read*' }],
  ['tokens', 'old token', { token_expired: 'read*' }],
  // To be judged by topic.
  ['anonymous', 'another', { anonymous: 'read* publish*', unauthorized: 'read admin publish metrics' }],
  ['anonymous', 'wrong key', { unauthorized: 'read*' }],
])('%s, asked by %s: %j', async (gateway, from, expected) => {
  for (const [outcome, needs] of Object.entries(expected)) {
    for (const each of needs.split(' ')) {
      const access = each.replace('*', '') as AccessLevel;
      expect([each, await verdict(gateway, from, access, each.endsWith('*'))]).toEqual([each, outcome]);
    }
  }
});

test('the refusal names the check that failed', () => {
  const answer = gateways.bare.check(request({ headers: { via: '1.1 proxy' } }), need('read'));
  expect(answer).toMatchObject({ code: 'local_only', message: expect.stringContaining('header via') });
});

test('no refusal repeats what was presented', async () => {
  const wrong = request({ peerAddress: '192.0.2.1', headers: { 'x-api-key': 'wrong-key-shown' } });
  expect(String(await gateways.keys.check(wrong, need('read')))).not.toContain('wrong-key-shown');
});

test('a token that was verified before is accepted at once, for what tokens may open', async () => {
  const remote = request({ peerAddress: '192.0.2.1', headers: bearer(await sign({ sub: 'bob' })) });
  await gateways.tokens.check(remote, need('read', true));
  expect(gateways.tokens.check(remote, need('publish', true))).toMatchObject({ user: 'bob' });
  expect(gateways.tokens.check(remote, need('admin', false))).toMatchObject({ code: 'forbidden' });
});

describe('opening a WebSocket', () => {
  const { bare, keys } = gateways;
  const tokens = makeAccess(noKeys, testTokens(secret));
  const listed = makeAccess(noKeys, undefined, ['https://dash.example.org']);
  const dash = { origin: 'https://dash.example.org' };
  const passedOn = { 'x-forwarded-for': '192.0.2.1' };
  const rebound = { host: 'evil.example:8080', origin: 'http://evil.example:8080' };
  const push = { host: 'push.example.org' };
  const forwarded = { 'x-forwarded-host': 'dash.example.org', 'x-forwarded-proto': 'https' };

  test.each([
    ['a program', bare, {}],
    ['an own page', bare, { origin: 'http://localhost:8080' }],
    ['an own page', keys, { host: 'gateway.example', origin: 'https://gateway.example' }],
    ['a program', keys, { host: 'gateway.example' }],
    ['a program', tokens, push],
    ['an own page', tokens, { ...push, origin: 'https://push.example.org' }],
    ['a foreign page', tokens, { ...push, origin: 'https://other.example.org' }, 'origin_not_allowed'],
    ['a foreign page', bare, dash, 'origin_not_allowed'],
    ['a foreign page', keys, dash, 'origin_not_allowed'],
    ['a page of none', bare, { origin: 'null' }, 'origin_not_allowed'],
    ['a listed page', listed, dash],
    ['a listed page, by another name', listed, { host: 'gw.example', ...dash }],
    ['a rebound name, where there are no credentials', bare, rebound, 'local_only'],
    ['a rebound name, where there are no credentials', listed, rebound, 'local_only'],
    ['a rebound name, where there are no credentials', bare, { host: rebound.host }, 'local_only'],
    ['what a proxy passed on, where there are no credentials', bare, passedOn, 'local_only'],
    ['the same from a listed page', listed, { ...dash, ...passedOn }, 'local_only'],
    ['the same where there are', tokens, passedOn],
    [
      'a page of a forwarded host, which no proxy says',
      keys,
      { ...dash, ...forwarded },
      'origin_not_allowed',
    ],
  ] as const)('%s', (_, access, headers, code = undefined) => {
    expect(access.upgradeProblem(request({ headers }))?.code).toBe(code);
  });

  test.each([
    ['its own page by the forwarded host', keys, { ...dash, ...forwarded }],
    ['another page', keys, { ...forwarded, origin: 'http://dash.example.org' }, 'origin_not_allowed'],
    // No client is this machine, whatever name and page it says, unless credentials are configured.
    ...[bare, listed].flatMap((access) => [
      ['a program', access, {}, 'local_only'] as const,
      ['a program with a name of here', access, { 'x-forwarded-host': 'localhost' }, 'local_only'] as const,
      ['a page of here', access, { origin: 'http://localhost:8080' }, 'local_only'] as const,
    ]),
    ['a listed page', listed, dash, 'local_only'],
    ['a program, where there are credentials', tokens, {}],
  ] as const)('behind a trusted proxy: %s', (_, access, headers, code = undefined) => {
    expect(access.upgradeProblem(request({ peerAddress: '127.0.0.2', headers }))?.code).toBe(code);
  });

  test.each([
    ['application/json', undefined],
    // A form can send it.
    ['text/plain', 'local_only'],
  ])('a stream by POST of this machine’s own, in %s: %s', (type, code) => {
    const post = request({ method: 'POST', headers: { 'content-type': type } });
    expect(bare.upgradeProblem(post)?.code).toBe(code);
  });
});
