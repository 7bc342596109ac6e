import type { z } from 'zod';
import { type Revocation, revocationKey } from '../auth/revocations.ts';
import { SluiceError } from '../errors.ts';
import { toInstant } from '../protocol/instant.ts';
import { type ApiResponse, json } from './http.ts';
import { readJsonBody } from './json-body.ts';
import { inOwnTurn } from './own-turn.ts';
import type { ApiPorts } from './ports.ts';
import { restoreBody, revokeBody } from './request-schemas.ts';
import type { revocation } from './response-schemas.ts';
import type { Call } from './route.ts';
import { invalidRequest } from './validate.ts';

/** `POST /api/tokens/revoke` */
export async function revokeTokens({ body }: Call, { tokens }: ApiPorts): Promise<ApiResponse> {
  const { jti, user, exp } = readJsonBody(body, revokeBody);
  const revoked: Revocation = {
    ...oneOf(jti, user),
    atMs: Date.now(),
    untilMs: exp === undefined ? undefined : Math.ceil(exp * 1000) + tokens.clockToleranceMs,
  };
  if (revoked.untilMs !== undefined && revoked.untilMs <= revoked.atMs)
    throw invalidRequest([{ path: 'exp', message: 'has passed: such a token has expired' }]);
  await tokens.revoke(revoked);
  return json({ ...revocationBody(revoked), survivesRestarts: tokens.survivesRestarts });
}

/** `POST /api/tokens/restore` */
export async function restoreTokens({ body }: Call, { tokens }: ApiPorts): Promise<ApiResponse> {
  const { jti, user } = readJsonBody(body, restoreBody);
  if (!(await tokens.restore(revocationKey(oneOf(jti, user)))))
    throw new SluiceError('not_found', 'there is no such revocation');
  return json({ jti, user, restored: true });
}

/** `GET /api/tokens/revocations` */
export function listRevocations(call: Call, ports: ApiPorts): Promise<ApiResponse> {
  const { tokens } = ports;
  return inOwnTurn(call, ports, () =>
    json({
      revocations: [...tokens.revocations()].map(revocationBody),
      survivesRestarts: tokens.survivesRestarts,
    }),
  );
}

function oneOf(jti: string | undefined, user: string | undefined): Pick<Revocation, 'kind' | 'id'> {
  if (jti !== undefined && user === undefined) return { kind: 'token', id: jti };
  if (user !== undefined && jti === undefined) return { kind: 'user', id: user };
  throw invalidRequest([
    { path: 'jti', message: 'give either jti, of one token, or user, of all of that user' },
  ]);
}

function revocationBody({ kind, id, atMs, untilMs }: Revocation): z.output<typeof revocation> {
  return {
    ...(kind === 'token' ? { jti: id } : { user: id }),
    revokedAt: toInstant(atMs),
    until: untilMs === undefined ? undefined : toInstant(untilMs),
  };
}
