import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { secretKeys, type TokenAlgorithm } from '../../src/auth/token-keys.ts';
import { tokenVerifier } from '../../src/auth/tokens.ts';

/**
 * A token of HS256 is verified at once, and its claims mostly without jose. Here jose says of each token what it says,
 * with the secret as a key like any other.
 */

const secret = 'a secret of thirty-two bytes or more';
const nowMs = Date.parse('2026-01-01T00:00:00.500Z');
const now = Math.floor(nowMs / 1000);
const keys = secretKeys(secret);
const algorithms: TokenAlgorithm[] = ['HS256'];
const loose = { algorithms, issuer: '', audience: [], clockToleranceMs: 5000 };
const strict = { algorithms, issuer: 'issuer', audience: ['a', 'b'], clockToleranceMs: 0 };

const header = encoded('{"alg":"HS256"}');

function encoded(part: string | Buffer): string {
  return Buffer.from(part).toString('base64url');
}

function signed(claims: string | Buffer, head = header): string {
  const text = `${head}.${encoded(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const good = signed('{"sub":"alice"}');

const tokens = Object.entries({
  'no claims': signed('{}'),
  'a user': good,
  'the right issuer and audience': signed('{"iss":"issuer","aud":"b"}'),
  'an audience of several': signed('{"iss":"issuer","aud":["c","a"]}'),
  'no audience of several': signed('{"iss":"issuer","aud":["c","d"]}'),
  'an empty audience': signed('{"iss":"issuer","aud":[]}'),
  'an audience that is an object': signed('{"iss":"issuer","aud":{"a":1}}'),
  'another issuer': signed('{"iss":"other","aud":"a"}'),
  'an issuer that is a list': signed('{"iss":["issuer"],"aud":"a"}'),
  ...Object.fromEntries(
    ['exp', 'nbf', 'iat'].flatMap((claim) =>
      [
        now - 6,
        now - 5,
        now - 1,
        now,
        now + 0.5,
        now + 1,
        now + 5,
        now + 6,
        '"1"',
        'null',
        '1e400',
        '-1e400',
      ].map((value) => [`${claim} ${value}`, signed(`{"iss":"issuer","aud":"a","${claim}":${value}}`)]),
    ),
  ),
  'two of a claim': signed(`{"exp":${now - 60},"exp":${now + 60}}`),
  'a list': signed('[]'),
  'a number': signed('7'),
  'no JSON': signed('{'),
  nothing: signed(''),
  'space around it': signed(' {"sub":"alice"} '),
  'a byte order mark': signed('\ufeff{"sub":"alice"}'),
  'bytes that are not UTF-8': signed(Buffer.from([...Buffer.from('{"sub":"'), 0xff, ...Buffer.from('"}')])),
  'the character for such bytes': signed('{"sub":"\ufffd"}'),
  'a member of the prototype': signed('{"__proto__":{"exp":1},"sub":"alice"}'),
  'an empty signature': good.slice(0, good.lastIndexOf('.') + 1),
  'a signature outside ASCII': `${good.slice(0, -1)}é`,
  'a signature of another character with the same low byte': `${good.slice(0, -1)}${String.fromCharCode(0x100 + good.charCodeAt(good.length - 1))}`,
  'a longer signature': `${good}A`,
  'the same bits in other letters': `${good.slice(0, -1)}${String.fromCharCode(good.charCodeAt(good.length - 1) + 1)}`,
  'two parts': good.slice(0, good.lastIndexOf('.')),
  'four parts': `${good}.${encoded('{}')}`,
  'an extension': signed('{}', encoded('{"alg":"HS256","crit":["exp"],"exp":1}')),
  'another algorithm': signed('{}', encoded('{"alg":"HS512"}')),
  'a header that is no JSON': signed('{}', encoded('{')),
});

const verifiers = [loose, strict].map((options) => {
  const { revision, find } = keys;
  return {
    atOnce: tokenVerifier({ ...options, keys }, () => nowMs),
    byJose: tokenVerifier({ ...options, keys: { revision, find } }, () => nowMs),
  };
});

test.each(tokens)('%s: the same as jose says', async (_, token) => {
  for (const { atOnce, byJose } of verifiers)
    expect(await atOnce.verify(token)).toEqual(await byJose.verify(token));
});

test('good tokens are verified in the same turn, and again after they expired', () => {
  let timeMs = nowMs;
  const verifier = tokenVerifier({ ...loose, keys }, () => timeMs);
  const token = signed(`{"exp":${now + 60}}`);
  expect(verifier.verify(token)).toMatchObject({ ok: true });
  expect(verifier.verify(token)).toMatchObject({ ok: true });
  timeMs += 66_000;
  expect(verifier.verify(token)).toMatchObject({ ok: false, code: 'token_expired' });
});
