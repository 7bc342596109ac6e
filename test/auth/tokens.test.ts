import { createHmac } from 'node:crypto';
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { secretKeys } from '../../src/auth/token-keys.ts';
import { type TokenOptions, tokenVerifier } from '../../src/auth/tokens.ts';

const secret = 'a secret of thirty-two bytes or more';
const nowMs = Date.parse('2026-01-01T00:00:00Z');
const nowSeconds = nowMs / 1000;
const options: TokenOptions = {
  keys: secretKeys(secret),
  algorithms: ['HS256'],
  issuer: '',
  audience: [],
  clockToleranceMs: 0,
};
const tolerant = tokenVerifier({ ...options, clockToleranceMs: 5_000 }, () => nowMs);
const verifier = tokenVerifier(options, () => nowMs);

function sign(claims: JWTPayload, options: { secret?: string; alg?: string } = {}): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: options.alg ?? 'HS256' })
    .sign(new TextEncoder().encode(options.secret ?? secret));
}

/** With the gateway's secret and HMAC SHA-256, whatever the header says. */
async function signByHand(header: object, claims = '{"sub":"mallory"}'): Promise<string> {
  const signed = [JSON.stringify(header), claims]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

test('a good token tells the user, the permissions and when it ends', async () => {
  const topics = [{ pattern: 'server:*', allow: ['subscribe', 'publish'] }];
  const result = await verifier.verify(await sign({ sub: 'alice', exp: nowSeconds + 60, topics }));
  expect(result).toEqual({
    ok: true,
    identity: {
      user: 'alice',
      permissions: topics,
      expiresAtMs: nowMs + 60_000,
      scopes: [],
    },
  });
});

test('a token needs neither subject, nor end, nor topics', async () => {
  const result = await verifier.verify(await sign({}));
  expect(result).toMatchObject({ ok: true, identity: { permissions: [] } });
});

describe('the end of a token', () => {
  test('is an instant that can be written down', async () => {
    const result = await verifier.verify(await sign({ exp: 1e15 }));
    expect(result.ok && new Date(result.identity.expiresAtMs!).toISOString()).toBe(
      '9999-12-31T23:59:59.999Z',
    );
  });

  test.each([
    [1, true],
    [0, false],
    [-1, false],
  ])('%j s from now: good is %j', async (seconds, good) => {
    const result = await verifier.verify(await sign({ sub: 'alice', exp: nowSeconds + seconds }));
    expect(result.ok).toBe(good);
    if (!result.ok) expect(result.code).toBe('token_expired');
  });

  test.each([
    [-4, true],
    [-5, false],
    [-6, false],
  ])('%j s from now, by clocks that may be 5 s apart: good is %j', async (seconds, good) => {
    const result = await tolerant.verify(await sign({ sub: 'alice', exp: nowSeconds + seconds }));
    expect(result).toMatchObject(
      good
        ? { ok: true, identity: { expiresAtMs: nowMs + (seconds + 5) * 1000 } }
        : { ok: false, code: 'token_expired' },
    );
  });

  test.each([
    [0, undefined],
    [5, undefined],
    [6, 1_000],
    [65, 60_000],
    [1e9, 60_000],
  ])(
    'a token that is valid in %j s may be brought again in %j ms, and is good if that is nothing',
    async (seconds, ms) => {
      const result = await tolerant.verify(await sign({ sub: 'alice', nbf: nowSeconds + seconds }));
      expect(result).toEqual(
        ms === undefined
          ? expect.objectContaining({ ok: true })
          : {
              ok: false,
              code: 'token_not_yet_valid',
              message: 'the token is not valid yet',
              user: 'alice',
              retryAfterMs: ms,
            },
      );
    },
  );

  test('a token that ends before it begins is expired', async () => {
    const result = await tolerant.verify(await sign({ nbf: nowSeconds + 4, exp: nowSeconds + 3 }));
    expect(result).toMatchObject({ ok: false, code: 'token_expired' });
  });
});

describe('a token that was verified before', () => {
  test('has the same answer at once', async () => {
    const { verify } = tokenVerifier(options, () => nowMs);
    const token = await sign({ sub: 'alice', exp: nowSeconds + 60 });
    const first = verify(token);
    expect(first).toMatchObject({ ok: true, identity: { user: 'alice' } });
    expect(verify(token)).toEqual(first);
  });

  test.each([
    [59_999, true],
    [60_000, false],
    [60_001, false],
  ])('is as good %j ms later as one that comes then: %j', async (ms, good) => {
    let atMs = nowMs;
    const { verify } = tokenVerifier(options, () => atMs);
    const token = await sign({ sub: 'alice', exp: nowSeconds + 60 });
    await verify(token);
    atMs += ms;
    expect(await verify(token)).toMatchObject(good ? { ok: true } : { ok: false, code: 'token_expired' });
  });

  test('is refused again when it was refused', async () => {
    const { verify } = tokenVerifier(options, () => nowMs);
    const token = await sign({ sub: 'mallory' }, { secret: 'another secret of thirty-two bytes' });
    expect(await verify(token)).toMatchObject({ ok: false });
    expect(await verify(token)).toMatchObject({ ok: false });
  });
});

describe('what is not a token that the gateway’s secret signs with HS256', () => {
  test.each([
    ['of another secret', () => sign({ sub: 'mallory' }, { secret: 'another secret of thirty-two bytes' })],
    ['signed with HS512', () => sign({ sub: 'mallory' }, { alg: 'HS512' })],
    ['unsigned', async () => new UnsecuredJWT({ sub: 'mallory' }).encode()],
    ['with an extension that must be known', () => signByHand({ alg: 'HS256', crit: ['x'], x: 1 })],
    ['with a payload that is not encoded', () => signByHand({ alg: 'HS256', crit: ['b64'], b64: false })],
    ['with a fourth part', async () => `${await sign({ sub: 'mallory' })}.x`],
    ['with claims that are no object', () => signByHand({ alg: 'HS256' }, '[]')],
    ['no token at all', async () => 'not.a.token'],
    ['empty', async () => ''],
  ])('%s is refused and not repeated', async (_, make) => {
    const token = await make();
    const result = await verifier.verify(token);
    expect(result).toMatchObject({ ok: false, code: 'unauthorized' });
    if (token !== '') expect(JSON.stringify(result)).not.toContain(token);
  });

  test('a changed payload is refused', async () => {
    const [header, , signature] = (await sign({ sub: 'alice' })).split('.');
    const forged = Buffer.from(JSON.stringify({ sub: 'mallory' })).toString('base64url');
    expect(await verifier.verify(`${header}.${forged}.${signature}`)).toMatchObject({ ok: false });
  });
});

describe('claims of the wrong shape', () => {
  test.each([
    ['an unknown action', { topics: [{ pattern: 'stats', allow: ['subscibe'] }] }, 'topics.0.allow.0'],
    ['a pattern with two stars', { topics: [{ pattern: 'a*b*', allow: ['subscribe'] }] }, 'topics.0.pattern'],
    ['a reserved name', { topics: [{ pattern: '$all', allow: ['subscribe'] }] }, 'topics.0.pattern'],
    ['an entry that misses its actions', { topics: [{ pattern: 'stats' }] }, 'topics.0.allow'],
    ['a user that no topic can be named by', { sub: 'x'.repeat(300) }, 'sub'],
    ['an empty user', { sub: '' }, 'sub'],
  ])('%s is refused by name', async (_, claims, path) => {
    const result = await verifier.verify(await sign(claims));
    expect(result).toMatchObject({ ok: false, code: 'unauthorized' });
    if (!result.ok) expect(result.message).toContain(path);
  });

  test('1000 permissions are taken, 1001 are not', async () => {
    const topics = Array.from({ length: 1000 }, (_, i) => ({ pattern: `t:${i}`, allow: [] }));
    expect((await verifier.verify(await sign({ topics }))).ok).toBe(true);
    const oneMore = [...topics, { pattern: 't', allow: [] }];
    expect((await verifier.verify(await sign({ topics: oneMore }))).ok).toBe(false);
  });
});
