import { errors, exportJWK, exportPKCS8, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  keysByAlgorithm,
  PublishedKeys,
  publicKeyAlgorithms,
  readKeySet,
  secretKeys,
  type TokenAlgorithm,
} from '../../src/auth/token-keys.ts';
import { tokenVerifier } from '../../src/auth/tokens.ts';

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

const pairs = new Map<TokenAlgorithm, Pair>();
let other: Pair;

beforeAll(async () => {
  for (const alg of publicKeyAlgorithms) pairs.set(alg, await generateKeyPair(alg, { extractable: true }));
  other = await generateKeyPair('ES256', { extractable: true });
});

const pairOf = (alg: TokenAlgorithm) => pairs.get(alg) as Pair;
const jwkOf = async (pair: Pair, more: JWK = {}) => ({ ...(await exportJWK(pair.publicKey)), ...more });
const documentOf = (...keys: object[]) => JSON.stringify({ keys });

function sign(pair: Pair, header: { alg: string; kid?: string } & Record<string, unknown>): Promise<string> {
  return new SignJWT({ sub: 'alice' }).setProtectedHeader(header).sign(pair.privateKey);
}

/** Keys of documents that are given out one after the other; the last one again and again. */
function published(...documents: (string | Error)[]) {
  const told: unknown[] = [];
  const state = { nowMs: 0, loads: 0 };
  const keys = new PublishedKeys({
    async load() {
      state.loads++;
      const document = documents.length > 1 ? documents.shift() : documents[0];
      if (document instanceof Error) throw document;
      return document as string;
    },
    monotonicMs: () => state.nowMs,
    maxAgeMs: 600_000,
    cooldownMs: 30_000,
    loaded: (count) => told.push(count),
    failed: (cause) => told.push((cause as Error).message),
  });
  const options = { issuer: '', audience: [], clockToleranceMs: 5_000 };
  const verifier = tokenVerifier({ ...options, keys, algorithms: [...publicKeyAlgorithms] });
  return { keys, told, state, verifier, verify: async (token: string) => verifier.verify(token) };
}

describe('a token signed with a published key', () => {
  test.each(publicKeyAlgorithms)('is good: %s', async (alg) => {
    const document = documentOf(await jwkOf(other, { kid: 'b' }), await jwkOf(pairOf(alg), { kid: 'a' }));
    const { verify } = published(document);
    expect(await verify(await sign(pairOf(alg), { alg, kid: 'a' }))).toMatchObject({
      identity: { user: 'alice' },
    });
  });

  test('has the same answer at once when it was verified before', async () => {
    const { keys, verifier } = published(documentOf(await jwkOf(pairOf('ES256'), { kid: 'a' })));
    await keys.load();
    const token = await sign(pairOf('ES256'), { alg: 'ES256', kid: 'a' });
    const first = verifier.verify(token);
    expect(first).toBeInstanceOf(Promise);
    const result = await first;
    expect(verifier.verify(token)).toEqual(result);
  });

  test('is good without a kid where one key fits', async () => {
    const { verify } = published(documentOf(await jwkOf(pairOf('ES256')), await jwkOf(pairOf('RS256'))));
    expect(await verify(await sign(pairOf('ES256'), { alg: 'ES256' }))).toMatchObject({ ok: true });
  });

  test('is good where several keys fit, whichever of them signed it', async () => {
    const pairs = [pairOf('ES256'), other];
    const pem = (await Promise.all(pairs.map(({ publicKey }) => exportSPKI(publicKey)))).join('\n');
    const named = await Promise.all(pairs.map((pair) => jwkOf(pair, { kid: 'a' })));
    const unnamed = await Promise.all(pairs.map((pair) => jwkOf(pair)));
    for (const document of [pem, documentOf(...named), documentOf(...unnamed)]) {
      const { verify } = published(document);
      for (const pair of pairs) {
        const tokens = [sign(pair, { alg: 'ES256', kid: 'a' }), sign(pair, { alg: 'ES256' })];
        for (const token of await Promise.all(tokens))
          expect(await verify(token)).toMatchObject({ ok: true });
      }
      const stranger = await generateKeyPair('ES256');
      const forged = await sign(stranger, { alg: 'ES256', kid: 'a' });
      expect(await verify(forged)).toMatchObject({ ok: false, code: 'unauthorized' });
    }
  });

  test('is verified with ten keys that fit, and with no more', async () => {
    const strangers = await Promise.all(Array.from({ length: 10 }, () => generateKeyPair('ES256')));
    const keys = await Promise.all([...strangers, other].map((pair) => jwkOf(pair)));
    const token = await sign(other, { alg: 'ES256' });
    expect(await published(documentOf(...keys.slice(1))).verify(token)).toMatchObject({ ok: true });
    expect(await published(documentOf(...keys)).verify(token)).toMatchObject({ code: 'unauthorized' });
  });

  test.each([
    ['of another key under this kid', async () => sign(other, { alg: 'ES256', kid: 'a' })],
    [
      'of a key that the token brings itself',
      async () => sign(other, { alg: 'ES256', jwk: await exportJWK(other.publicKey) }),
    ],
    ['of a key that the token links to', () => sign(other, { alg: 'ES256', jku: 'http://127.0.0.1:1/keys' })],
    ['whose kid is a path', () => sign(other, { alg: 'ES256', kid: '../../../../dev/null' })],
    ['whose kid is a member of every object', () => sign(other, { alg: 'ES256', kid: '__proto__' })],
    [
      'with the public key as a secret',
      async () => {
        const secret = new TextEncoder().encode(await exportSPKI(pairOf('RS256').publicKey));
        return new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'HS256', kid: 'r' }).sign(secret);
      },
    ],
  ])('is refused: %s', async (_, make) => {
    const document = documentOf(
      await jwkOf(pairOf('ES256'), { kid: 'a' }),
      await jwkOf(pairOf('RS256'), { kid: 'r' }),
    );
    const { verify } = published(document);
    const token = await make();
    const result = await verify(token);
    expect(result).toMatchObject({ ok: false, code: 'unauthorized' });
    expect(JSON.stringify(result)).not.toContain(token);
  });

  test('is refused where the secret and public keys are taken, and each is used with the algorithm of the other', async () => {
    const secret = 'a secret of thirty-two bytes or more';
    const set = published(documentOf(await jwkOf(pairOf('ES256'), { kid: 'a' })));
    const verifier = tokenVerifier({
      keys: keysByAlgorithm(secretKeys(secret), set.keys),
      algorithms: ['HS256', ...publicKeyAlgorithms],
      issuer: '',
      audience: [],
      clockToleranceMs: 0,
    });
    const bySecret = (bytes: Uint8Array) =>
      new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'HS256', kid: 'a' }).sign(bytes);
    expect(await verifier.verify(await bySecret(new TextEncoder().encode(secret)))).toMatchObject({
      ok: true,
    });
    expect(await verifier.verify(await sign(pairOf('ES256'), { alg: 'ES256', kid: 'a' }))).toMatchObject({
      ok: true,
    });
    const { x = '' } = await exportJWK(pairOf('ES256').publicKey);
    for (const bytes of [
      Buffer.from(x, 'base64url'),
      Buffer.from(await exportSPKI(pairOf('ES256').publicKey)),
    ]) {
      expect(await verifier.verify(await bySecret(bytes))).toMatchObject({ ok: false, code: 'unauthorized' });
    }
  });
});

describe('keys that change', () => {
  test('are loaded again at once for a key that is not known, also just after a load', async () => {
    const [first, second] = [await jwkOf(pairOf('ES256'), { kid: 'a' }), await jwkOf(other, { kid: 'b' })];
    const { keys, verify, state, told } = published(documentOf(first), documentOf(second));
    await keys.load();
    const old = await sign(pairOf('ES256'), { alg: 'ES256', kid: 'a' });
    const next = await sign(other, { alg: 'ES256', kid: 'b' });
    expect(await verify(old)).toMatchObject({ ok: true });
    expect(await verify(next)).toMatchObject({ ok: true });
    expect(state.loads).toBe(2);
    // The key that is gone serves no longer, nor does what it had signed.
    expect(await verify(old)).toMatchObject({ ok: false });
    expect(told).toEqual([1, 1]);
  });

  test('are not outlived by a token whose verification began before them', async () => {
    const token = await sign(other, { alg: 'ES256' });
    const keys = { revision: 1, find: async () => other.publicKey };
    const verifier = tokenVerifier({
      keys,
      algorithms: ['ES256'],
      issuer: '',
      audience: [],
      clockToleranceMs: 0,
    });
    const late = verifier.verify(token);
    keys.revision++;
    keys.find = () => Promise.reject(new errors.JWKSNoMatchingKey());
    // Another token, which is verified by the new keys.
    await verifier.verify('a.b.c');
    expect(await late).toMatchObject({ ok: true });
    expect(await verifier.verify(token)).toMatchObject({ ok: false });
  });

  test('are loaded three times for keys that are not known, and then once in the cooldown', async () => {
    const { keys, verify, state } = published(documentOf(await jwkOf(other, { kid: 'b' })));
    await keys.load();
    const unknown = Array.from({ length: 50 }, (_, i) => sign(other, { alg: 'ES256', kid: `x${i}` }));
    const tokens = await Promise.all(unknown);
    const loads = async () => {
      const before = state.loads;
      for (const token of tokens) expect(await verify(token)).toMatchObject({ code: 'unauthorized' });
      return state.loads - before;
    };
    expect(await loads()).toBe(3);
    state.nowMs += 29_999;
    expect(await loads()).toBe(0);
    state.nowMs += 1;
    expect(await loads()).toBe(1);
    state.nowMs += 90_000;
    expect(await loads()).toBe(3);
  });

  test('are loaded once for tokens that come while they are, however many these are', async () => {
    const { keys, verify, state, told } = published(
      '{"keys":[]}',
      documentOf(await jwkOf(other, { kid: 'b' })),
    );
    await keys.load();
    const tokens = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        new SignJWT({ sub: `user ${i}` })
          .setProtectedHeader({ alg: 'ES256', kid: 'b' })
          .sign(other.privateKey),
      ),
    );
    const verdicts = await Promise.all(tokens.map(verify));
    expect(verdicts.filter(({ ok }) => ok)).toHaveLength(10);
    expect([state.loads, told.length]).toEqual([2, 2]);
  });

  test('stay when a load fails, and one of an age is loaded while it serves', async () => {
    const document = documentOf(await jwkOf(other, { kid: 'b' }));
    const { verify, state, told } = published(
      document,
      new Error('the server returned 500'),
      '{"keys":[]}',
      document,
    );
    expect(await verify(await sign(other, { alg: 'ES256', kid: 'b' }))).toMatchObject({ ok: true });
    for (const round of [1, 2, 3]) {
      state.nowMs += 600_000;
      const token = await new SignJWT({ sub: `user ${round}` })
        .setProtectedHeader({ alg: 'ES256', kid: 'b' })
        .sign(other.privateKey);
      expect(await verify(token)).toMatchObject({ ok: true });
    }
    expect(state.loads).toBe(4);
    expect(told).toEqual([1, 'the server returned 500', 'it holds no public key for signatures']);
  });

  test('that could never be loaded make tokens wait: the refusal passes', async () => {
    const { verify } = published(new Error('away'), documentOf(await jwkOf(other, { kid: 'b' })));
    const token = await sign(other, { alg: 'ES256', kid: 'b' });
    expect(await verify(token)).toMatchObject({ ok: false, code: 'token_keys_unavailable' });
    expect(await verify(token)).toMatchObject({ ok: true });
  });
});

describe('a document of keys', () => {
  test('may be PEM: of a public key, of several, and of a private one only its public part', async () => {
    const spki = await exportSPKI(pairOf('RS256').publicKey);
    const pkcs8 = await exportPKCS8(other.privateKey);
    expect(readKeySet(spki).keys).toHaveLength(1);
    const [rsa, ec] = readKeySet(`${spki}\n${pkcs8}`).keys;
    expect([rsa?.kty, ec?.kty, ec && 'd' in ec]).toEqual(['RSA', 'EC', false]);
  });

  test('may be a single key, and what is private of it is left out', async () => {
    const { keys } = readKeySet(JSON.stringify(await exportJWK(other.privateKey)));
    expect(keys).toHaveLength(1);
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['crv', 'kty', 'x', 'y']);
  });

  test.each([
    ['a secret', { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }, 'it holds no public key for signatures'],
    [
      'a key for encryption',
      { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', use: 'enc' }] },
      'it holds no',
    ],
    ['a short RSA key', { keys: [{ kty: 'RSA', n: 'x'.repeat(171), e: 'AQAB' }] }, 'it holds no public key'],
    ['101 keys', { keys: Array.from({ length: 101 }, () => ({ kty: 'EC' })) }, 'at most 100 keys'],
    ['no set', { hello: 'world' }, 'it is not a JSON Web Key Set'],
  ])('is refused: %s', (_, document, message) => {
    expect(() => readKeySet(JSON.stringify(document))).toThrow(message);
  });

  test('is refused in PEM with 101 keys, without reading one', () => {
    const block = '-----BEGIN PUBLIC KEY-----\nnone\n-----END PUBLIC KEY-----\n';
    expect(() => readKeySet(block.repeat(101))).toThrow('more than 100 keys');
  });

  test('loses keys that are damaged, and no others', async () => {
    const good = await jwkOf(other, { kid: 'a' });
    const damaged = [
      { ...good, x: 'AAAA' },
      { ...good, kid: 5 },
      { ...good, key_ops: 'verify' },
      { ...good, alg: {} },
      { kty: 'EC', crv: 'P-256' },
      { kty: 'RSA', n: '!'.repeat(400), e: '' },
    ];
    const { keys } = readKeySet(documentOf(...damaged, good));
    expect(keys).toEqual([good]);
    expect(() => readKeySet(documentOf(...damaged))).toThrow('it holds no public key');
  });

  test('may have members of any depth, which are dropped', async () => {
    const good = JSON.stringify(await jwkOf(other));
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const { verify } = published(`{"keys":[${good.slice(0, -1)},"more":${deep}}],"more":${deep}}`);
    expect(await verify(await sign(other, { alg: 'ES256' }))).toMatchObject({ ok: true });
  });

  test('is refused if it is neither JSON nor PEM, by an error that does not repeat it', () => {
    expect(() => readKeySet('<html>secret</html>')).toThrow('it is neither JSON nor PEM');
    const broken = '-----BEGIN PUBLIC KEY-----\nc2VjcmV0\n-----END PUBLIC KEY-----';
    expect(() => readKeySet(broken)).toThrow('it is not a public key or certificate in PEM');
  });
});
