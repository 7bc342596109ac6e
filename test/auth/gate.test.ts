import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { type ApiKeys, apiKeys } from '../../src/auth/api-keys.ts';
import { createCredentials } from '../../src/auth/credentials.ts';
import { type Access, createGate } from '../../src/auth/gate.ts';
import { anonymousIdentity, localIdentity } from '../../src/auth/identity.ts';
import { localGuard } from '../../src/auth/local-guard.ts';
import { originPolicy } from '../../src/auth/origins.ts';
import type { Refused } from '../../src/auth/refusals.ts';
import { type TokenVerifier, tokenVerifier } from '../../src/auth/tokens.ts';
import { SluiceError } from '../../src/errors.ts';
import { request } from './request.ts';

const key = 'a-key-of-some-length';
const secret = 'a secret of thirty-two bytes or more';
const noKeys = apiKeys([]);
const need = (access: Access, byToken = false) => ({ access, byToken, mediaTypes: ['application/json'] });
const makeGate = (
  keys: ApiKeys = noKeys,
  tokens?: TokenVerifier,
  listed: readonly string[] = [],
  admitsAnonymous = false,
  refused: Refused = () => undefined,
) => {
  const origins = originPolicy(listed);
  return createGate({
    credentials: createCredentials(keys, tokens),
    origins,
    localProblem: localGuard({ origins, isProxy: () => false, suspected: () => undefined }),
    refused,
    sourceOf: ({ peerAddress, header }) => ({ address: peerAddress, origin: header('origin') }),
    admitsAnonymous,
  });
};
const sign = (claims: Record<string, unknown>) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));

async function verdict(gate: ReturnType<typeof createGate>, ...args: Parameters<typeof gate.authorize>) {
  const answer = await gate.authorize(...args);
  return answer instanceof SluiceError ? answer.code : answer;
}

describe('without keys', () => {
  const gate = makeGate();

  test('this machine may do everything', async () => {
    for (const access of ['publish', 'read', 'admin'] as const) {
      expect(await verdict(gate, request(), need(access))).toBe(localIdentity);
    }
  });

  test('another machine may only do what is open', async () => {
    const remote = request({ peerAddress: '192.0.2.1' });
    expect(await verdict(gate, remote, need('read'))).toBe('local_only');
    expect(await verdict(gate, remote, need('none'))).toBe(anonymousIdentity);
    expect(await verdict(gate, remote, need('metrics'))).toBe(anonymousIdentity);
  });

  test('a made-up key changes nothing', async () => {
    const headers = { 'x-api-key': key };
    expect(await verdict(gate, request({ peerAddress: '192.0.2.1', headers }), need('read'))).toBe(
      'local_only',
    );
  });

  test('the refusal names the check that failed', () => {
    const answer = gate.authorize(request({ headers: { via: '1.1 proxy' } }), need('read'));
    expect(answer).toMatchObject({ code: 'local_only', message: expect.stringContaining('header via') });
  });
});

describe('with keys', () => {
  const keys = apiKeys([key, { name: 'publisher', key: 'another-key-of-length', scopes: ['publish'] }]);
  const gate = makeGate(keys);
  const remote = (headers: Record<string, string> = {}) => request({ peerAddress: '192.0.2.1', headers });

  test('a key opens the door from anywhere', async () => {
    const headers = { authorization: `Bearer ${key}`, origin: 'https://any.example', via: '1.1 proxy' };
    expect(await verdict(gate, remote(headers), need('admin'))).toMatchObject({ apiKey: 'key-1' });
  });

  test('no key and a wrong key do not, also for this machine', async () => {
    expect(await verdict(gate, request(), need('read'))).toBe('unauthorized');
    expect(await verdict(gate, remote({ 'x-api-key': 'wrong' }), need('read'))).toBe('unauthorized');
  });

  test('a key does what its scopes say', async () => {
    const headers = { 'x-api-key': 'another-key-of-length' };
    expect(await verdict(gate, remote(headers), need('publish'))).toMatchObject({ apiKey: 'publisher' });
    expect(await verdict(gate, remote(headers), need('admin'))).toBe('forbidden');
    expect(await verdict(gate, remote(headers), need('metrics'))).toBe('forbidden');
  });

  test('metrics are for keys that may read, and for this machine', async () => {
    expect(await verdict(gate, remote({ 'x-api-key': key }), need('metrics'))).toMatchObject({
      apiKey: 'key-1',
    });
    expect(await verdict(gate, request(), need('metrics'))).toBe(localIdentity);
    expect(await verdict(gate, remote(), need('metrics'))).toBe('unauthorized');
    const proxied = request({ headers: { 'x-forwarded-for': '192.0.2.1' } });
    expect(await verdict(gate, proxied, need('metrics'))).toBe('unauthorized');
  });

  test('a token is no key where tokens are not configured', async () => {
    const token = await sign({ sub: 'alice' });
    expect(await verdict(gate, remote({ authorization: `Bearer ${token}` }), need('read', true))).toBe(
      'unauthorized',
    );
  });

  test('no refusal repeats what was presented', async () => {
    const answer = await gate.authorize(remote({ 'x-api-key': 'wrong-key-shown' }), need('read'));
    expect(String(answer)).not.toContain('wrong-key-shown');
  });
});

describe('with tokens', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z');
  const gate = makeGate(
    noKeys,
    tokenVerifier(secret, () => nowMs),
  );
  const remote = (token: string) =>
    request({ peerAddress: '192.0.2.1', headers: { authorization: `Bearer ${token}` } });

  test('a token opens what tokens may open', async () => {
    const token = await sign({ sub: 'alice' });
    expect(await verdict(gate, remote(token), need('publish', true))).toMatchObject({ user: 'alice' });
    expect(await verdict(gate, remote(token), need('admin', false))).toBe('forbidden');
  });

  test('a token that was verified before is answered at once, for what tokens may open', async () => {
    const token = await sign({ sub: 'alice' });
    await gate.authorize(remote(token), need('read', true));
    expect(gate.authorize(remote(token), need('publish', true))).toMatchObject({ user: 'alice' });
    expect(gate.authorize(remote(token), need('admin', false))).toMatchObject({ code: 'forbidden' });
  });

  test('a bad token is refused as what it is', async () => {
    expect(await verdict(gate, remote('a.b.c'), need('read', true))).toBe('unauthorized');
    expect(await verdict(gate, remote('garbage'), need('read', true))).toBe('unauthorized');
    const old = await sign({ sub: 'alice', exp: nowMs / 1000 - 1 });
    expect(await verdict(gate, remote(old), need('read', true))).toBe('token_expired');
  });

  test('this machine needs none to publish and to administrate, and one to read', async () => {
    expect(await verdict(gate, request(), need('admin'))).toBe(localIdentity);
    expect(await verdict(gate, request(), need('publish', true))).toBe(localIdentity);
    expect(await verdict(gate, request(), need('read', true))).toBe('unauthorized');
    expect(await verdict(gate, request(), need('read'))).toBe('unauthorized');
  });

  test('another machine needs one', async () => {
    const other = request({ peerAddress: '192.0.2.1' });
    expect(await verdict(gate, other, need('read', true))).toBe('unauthorized');
    expect(await verdict(gate, other, need('publish', true))).toBe('unauthorized');
    expect(await verdict(gate, other, need('admin'))).toBe('local_only');
  });

  test('metrics are for this machine, and neither for others nor for tokens', async () => {
    expect(await verdict(gate, request(), need('metrics'))).toBe(localIdentity);
    expect(await verdict(gate, request({ peerAddress: '192.0.2.1' }), need('metrics'))).toBe('unauthorized');
    const rebound = request({ headers: { host: 'dash.example.org' } });
    expect(await verdict(gate, rebound, need('metrics'))).toBe('unauthorized');
    const token = await sign({ sub: 'alice' });
    expect(await verdict(gate, remote(token), need('metrics'))).toBe('forbidden');
  });
});

describe('with anonymous access switched on', () => {
  const keys = apiKeys([key]);
  const gate = makeGate(keys, undefined, [], true);
  const remote = request({ peerAddress: '192.0.2.1' });

  test('what tokens may call may be called without a credential, to be judged by topic', async () => {
    expect(await verdict(gate, remote, need('read', true))).toBe(anonymousIdentity);
    expect(await verdict(gate, remote, need('publish', true))).toBe(anonymousIdentity);
  });

  test('what needs a key may not, and a wrong credential is no anonymous client', async () => {
    for (const access of ['read', 'admin', 'publish', 'metrics'] as const)
      expect(await verdict(gate, remote, need(access))).toBe('unauthorized');
    const wrong = request({ peerAddress: '192.0.2.1', headers: { 'x-api-key': 'wrong' } });
    expect(await verdict(gate, wrong, need('read', true))).toBe('unauthorized');
  });
});

describe('opening a WebSocket', () => {
  const bare = makeGate();
  const keyed = makeGate(apiKeys([key]));
  const tokened = makeGate(noKeys, tokenVerifier(secret));
  const listed = makeGate(noKeys, undefined, ['https://dash.example.org']);
  const problem = (gate: typeof bare, headers: Record<string, string>) =>
    gate.upgradeProblem(request({ headers }))?.code;

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
});
