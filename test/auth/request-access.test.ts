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

async function verdict(
  requestAccess: ReturnType<typeof createRequestAccess>,
  ...args: Parameters<typeof requestAccess.check>
) {
  const answer = await requestAccess.check(...args);
  return answer instanceof SluiceError ? answer.code : answer;
}

describe('without keys', () => {
  const requestAccess = makeAccess();

  test('this machine may do everything', async () => {
    for (const access of ['publish', 'read', 'admin'] as const) {
      expect(await verdict(requestAccess, request(), need(access))).toBe(localIdentity);
    }
  });

  test('another machine may only do what is open to all', async () => {
    const remote = request({ peerAddress: '192.0.2.1' });
    expect(await verdict(requestAccess, remote, need('read'))).toBe('local_only');
    expect(await verdict(requestAccess, remote, need('none'))).toBe(anonymousIdentity);
    expect(await verdict(requestAccess, remote, need('metrics'))).toBe('local_only');
  });

  test('a made-up key changes nothing', async () => {
    const headers = { 'x-api-key': key };
    expect(await verdict(requestAccess, request({ peerAddress: '192.0.2.1', headers }), need('read'))).toBe(
      'local_only',
    );
  });

  test('the refusal names the check that failed', () => {
    const answer = requestAccess.check(request({ headers: { via: '1.1 proxy' } }), need('read'));
    expect(answer).toMatchObject({ code: 'local_only', message: expect.stringContaining('header via') });
  });
});

describe('with keys', () => {
  const keys = apiKeys([{ key }, { name: 'publisher', key: 'another-key-of-length', scopes: ['publish'] }]);
  const requestAccess = makeAccess(keys);
  const remote = (headers: Record<string, string> = {}) => request({ peerAddress: '192.0.2.1', headers });

  test('a key opens the door from anywhere', async () => {
    const headers = { authorization: `Bearer ${key}`, origin: 'https://any.example', via: '1.1 proxy' };
    expect(await verdict(requestAccess, remote(headers), need('admin'))).toMatchObject({ apiKey: 'key-1' });
  });

  test('no key and a wrong key do not, also for this machine', async () => {
    expect(await verdict(requestAccess, request(), need('read'))).toBe('unauthorized');
    expect(await verdict(requestAccess, remote({ 'x-api-key': 'wrong' }), need('read'))).toBe('unauthorized');
  });

  test('a key does what its scopes say', async () => {
    const headers = { 'x-api-key': 'another-key-of-length' };
    expect(await verdict(requestAccess, remote(headers), need('publish'))).toMatchObject({
      apiKey: 'publisher',
    });
    expect(await verdict(requestAccess, remote(headers), need('admin'))).toBe('forbidden');
    expect(await verdict(requestAccess, remote(headers), need('metrics'))).toBe('forbidden');
  });

  test('metrics are for keys that may read, and for this machine', async () => {
    expect(await verdict(requestAccess, remote({ 'x-api-key': key }), need('metrics'))).toMatchObject({
      apiKey: 'key-1',
    });
    expect(await verdict(requestAccess, request(), need('metrics'))).toBe(localIdentity);
    expect(await verdict(requestAccess, remote(), need('metrics'))).toBe('unauthorized');
    const proxied = request({ headers: { 'x-forwarded-for': '192.0.2.1' } });
    expect(await verdict(requestAccess, proxied, need('metrics'))).toBe('unauthorized');
  });

  test('a token is no key where tokens are not configured', async () => {
    const token = await sign({ sub: 'alice' });
    expect(
      await verdict(requestAccess, remote({ authorization: `Bearer ${token}` }), need('read', true)),
    ).toBe('unauthorized');
  });

  test('no refusal repeats what was presented', async () => {
    const answer = await requestAccess.check(remote({ 'x-api-key': 'wrong-key-shown' }), need('read'));
    expect(String(answer)).not.toContain('wrong-key-shown');
  });
});

describe('with tokens', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z');
  const requestAccess = makeAccess(
    noKeys,
    testTokens(secret, () => nowMs),
  );
  const remote = (token: string) =>
    request({ peerAddress: '192.0.2.1', headers: { authorization: `Bearer ${token}` } });

  test('a token opens what tokens may open', async () => {
    const token = await sign({ sub: 'alice' });
    expect(await verdict(requestAccess, remote(token), need('publish', true))).toMatchObject({
      user: 'alice',
    });
    expect(await verdict(requestAccess, remote(token), need('admin', false))).toBe('forbidden');
  });

  test('a token that was verified before is accepted at once, for what tokens may open', async () => {
    const token = await sign({ sub: 'alice' });
    await requestAccess.check(remote(token), need('read', true));
    expect(requestAccess.check(remote(token), need('publish', true))).toMatchObject({ user: 'alice' });
    expect(requestAccess.check(remote(token), need('admin', false))).toMatchObject({ code: 'forbidden' });
  });

  test('a bad token is refused as what it is', async () => {
    expect(await verdict(requestAccess, remote('a.b.c'), need('read', true))).toBe('unauthorized');
    expect(await verdict(requestAccess, remote('garbage'), need('read', true))).toBe('unauthorized');
    const old = await sign({ sub: 'alice', exp: nowMs / 1000 - 1 });
    expect(await verdict(requestAccess, remote(old), need('read', true))).toBe('token_expired');
  });

  test('this machine needs none to publish and to administrate, and one to read', async () => {
    expect(await verdict(requestAccess, request(), need('admin'))).toBe(localIdentity);
    expect(await verdict(requestAccess, request(), need('publish', true))).toBe(localIdentity);
    expect(await verdict(requestAccess, request(), need('read', true))).toBe('unauthorized');
    expect(await verdict(requestAccess, request(), need('read'))).toBe('unauthorized');
  });

  test('another machine needs one', async () => {
    const other = request({ peerAddress: '192.0.2.1' });
    expect(await verdict(requestAccess, other, need('read', true))).toBe('unauthorized');
    expect(await verdict(requestAccess, other, need('publish', true))).toBe('unauthorized');
    expect(await verdict(requestAccess, other, need('admin'))).toBe('local_only');
  });

  test('metrics are for this machine, and neither for others nor for tokens', async () => {
    expect(await verdict(requestAccess, request(), need('metrics'))).toBe(localIdentity);
    expect(await verdict(requestAccess, request({ peerAddress: '192.0.2.1' }), need('metrics'))).toBe(
      'unauthorized',
    );
    const rebound = request({ headers: { host: 'dash.example.org' } });
    expect(await verdict(requestAccess, rebound, need('metrics'))).toBe('unauthorized');
    const token = await sign({ sub: 'alice' });
    expect(await verdict(requestAccess, remote(token), need('metrics'))).toBe('forbidden');
  });
});

describe('with anonymous access switched on', () => {
  const keys = apiKeys([{ key }]);
  const requestAccess = makeAccess(keys, undefined, [], true);
  const remote = request({ peerAddress: '192.0.2.1' });

  test('what tokens may call may be called without a credential, to be judged by topic', async () => {
    expect(await verdict(requestAccess, remote, need('read', true))).toBe(anonymousIdentity);
    expect(await verdict(requestAccess, remote, need('publish', true))).toBe(anonymousIdentity);
  });

  test('what needs a key may not, and a wrong credential is no anonymous client', async () => {
    for (const access of ['read', 'admin', 'publish', 'metrics'] as const)
      expect(await verdict(requestAccess, remote, need(access))).toBe('unauthorized');
    const wrong = request({ peerAddress: '192.0.2.1', headers: { 'x-api-key': 'wrong' } });
    expect(await verdict(requestAccess, wrong, need('read', true))).toBe('unauthorized');
  });
});

describe('opening a WebSocket', () => {
  const bare = makeAccess();
  const keyed = makeAccess(apiKeys([{ key }]));
  const tokened = makeAccess(noKeys, testTokens(secret));
  const listed = makeAccess(noKeys, undefined, ['https://dash.example.org']);
  const problem = (requestAccess: typeof bare, headers: Record<string, string>) =>
    requestAccess.upgradeProblem(request({ headers }))?.code;

  test('programs and own pages may', () => {
    expect(problem(bare, {})).toBeUndefined();
    expect(problem(bare, { origin: 'http://localhost:8080' })).toBeUndefined();
    expect(problem(keyed, { host: 'gateway.example', origin: 'https://gateway.example' })).toBeUndefined();
    expect(problem(keyed, { host: 'gateway.example' })).toBeUndefined();
    expect(problem(tokened, { host: 'push.example.org' })).toBeUndefined();
    expect(
      problem(tokened, { host: 'push.example.org', origin: 'https://push.example.org' }),
    ).toBeUndefined();
    expect(problem(tokened, { host: 'push.example.org', origin: 'https://other.example.org' })).toBe(
      'origin_not_allowed',
    );
  });

  test('a foreign page may not unless it is listed', () => {
    expect(problem(bare, { origin: 'https://dash.example.org' })).toBe('origin_not_allowed');
    expect(problem(keyed, { origin: 'https://dash.example.org' })).toBe('origin_not_allowed');
    expect(problem(bare, { origin: 'null' })).toBe('origin_not_allowed');
    expect(problem(listed, { origin: 'https://dash.example.org' })).toBeUndefined();
    expect(problem(listed, { host: 'gw.example', origin: 'https://dash.example.org' })).toBeUndefined();
  });

  test('a rebound name may not where there are no credentials', () => {
    expect(problem(bare, { host: 'evil.example:8080', origin: 'http://evil.example:8080' })).toBe(
      'local_only',
    );
    expect(problem(listed, { host: 'evil.example:8080', origin: 'http://evil.example:8080' })).toBe(
      'local_only',
    );
    expect(problem(bare, { host: 'evil.example:8080' })).toBe('local_only');
  });

  test('what a proxy passed on may not where there are no credentials, from a listed page neither', () => {
    const passedOn = { 'x-forwarded-for': '192.0.2.1' };
    expect(problem(bare, passedOn)).toBe('local_only');
    expect(problem(listed, { origin: 'https://dash.example.org', ...passedOn })).toBe('local_only');
    expect(problem(tokened, passedOn)).toBeUndefined();
  });

  test('a stream by POST is this machine’s own only in JSON, which no form can send', () => {
    const post = (type: string) =>
      bare.upgradeProblem(request({ method: 'POST', headers: { 'content-type': type } }))?.code;
    expect(post('application/json')).toBeUndefined();
    expect(post('text/plain')).toBe('local_only');
  });

  describe('behind a trusted proxy', () => {
    const byProxy = (requestAccess: typeof bare, headers: Record<string, string>) =>
      requestAccess.upgradeProblem(request({ peerAddress: '127.0.0.2', headers }))?.code;
    const page = { origin: 'https://dash.example.org' };
    const forwarded = { 'x-forwarded-host': 'dash.example.org', 'x-forwarded-proto': 'https' };

    test('pages of the forwarded host are the gateway’s own', () => {
      expect(byProxy(keyed, { ...page, ...forwarded })).toBeUndefined();
      expect(problem(keyed, { ...page, ...forwarded })).toBe('origin_not_allowed');
      expect(byProxy(keyed, { origin: 'http://dash.example.org', ...forwarded })).toBe('origin_not_allowed');
    });

    test('no client is this machine, whatever name and page it says, unless credentials are configured', () => {
      for (const access of [bare, listed]) {
        expect(byProxy(access, {})).toBe('local_only');
        expect(byProxy(access, { 'x-forwarded-host': 'localhost' })).toBe('local_only');
        expect(byProxy(access, { origin: 'http://localhost:8080' })).toBe('local_only');
      }
      expect(byProxy(listed, page)).toBe('local_only');
      expect(byProxy(tokened, {})).toBeUndefined();
    });
  });
});
