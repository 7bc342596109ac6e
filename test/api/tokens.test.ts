import { expect, test } from 'vitest';
import type { ApiPorts } from '../../src/api/ports.ts';
import type { Call } from '../../src/api/route.ts';
import { revokeTokens } from '../../src/api/tokens.ts';
import type { Revocation } from '../../src/auth/revocations.ts';
import { SluiceError } from '../../src/errors.ts';

/** Asks for a revocation that `revoke` takes. */
function ask(body: object, revoke: (revocation: Revocation) => Promise<void>, clockToleranceMs = 0) {
  const tokens = { clockToleranceMs, survivesRestarts: true, revoke };
  const call = { body: Buffer.from(JSON.stringify(body)) };
  return revokeTokens(call as unknown as Call, { tokens } as unknown as ApiPorts);
}

test('a revocation is answered once it is stored', async () => {
  let store: () => void = () => undefined;
  const answered: number[] = [];
  const stored = new Promise<void>((resolve) => {
    store = resolve;
  });
  const response = ask({ jti: 'a' }, () => stored).then(({ status }) => answered.push(status));
  await new Promise(setImmediate);
  expect(answered).toEqual([]);
  store();
  await response;
  expect(answered).toEqual([200]);
});

test('one that can’t be stored is an error', async () => {
  const fail = () => Promise.reject(new SluiceError('engine_unavailable'));
  await expect(ask({ user: 'alice' }, fail)).rejects.toMatchObject({ code: 'engine_unavailable' });
});

test('one of a token that expires is kept until no clock takes it any more', async () => {
  const revoked: Revocation[] = [];
  const exp = Math.ceil(Date.now() / 1000) + 60.5;
  await ask({ jti: 'a', exp }, async (each) => void revoked.push(each), 5000);
  expect(revoked).toMatchObject([{ kind: 'token', id: 'a', untilMs: exp * 1000 + 5000 }]);
  const passed = ask({ jti: 'a', exp: exp - 120 }, async () => undefined);
  await expect(passed).rejects.toMatchObject({ code: 'invalid_request' });
});
