import { whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { ApiKeys } from './api-keys.ts';
import type { Identity } from './identity.ts';
import type { TokenResult, TokenVerifier } from './tokens.ts';

/** Why not is for the client; it never holds any part of the credential. */
export type Verdict = Identity | SluiceError;

/** What may be shown to this gateway, and whose it is: the same by every door. */
export interface Credentials {
  readonly takesKeys: boolean;
  readonly takesTokens: boolean;
  /** A promise only where a token has to be verified that is not known yet. Never rejects. */
  identify(credential: string): Verdict | Promise<Verdict>;
}

/** `tokens` is absent: no tokens are taken. */
export function createCredentials(keys: ApiKeys, tokens?: TokenVerifier): Credentials {
  const takesKeys = keys.size > 0;
  return {
    takesKeys,
    takesTokens: tokens !== undefined,
    identify(credential) {
      const byKey = keys.identify(credential);
      if (byKey !== undefined) return byKey;
      if (tokens !== undefined && (!takesKeys || looksLikeToken(credential))) {
        return whenDone(tokens.verify(credential), verdictOf);
      }
      if (takesKeys) return new SluiceError('unauthorized', 'this API key is not known');
      return new SluiceError('unauthorized', 'this gateway takes neither tokens nor API keys');
    },
  };
}

/** Whether anything has to be shown at all: without keys and a token secret, where a request comes from has to do. */
export function needsCredentials({ takesKeys, takesTokens }: Credentials): boolean {
  return takesKeys || takesTokens;
}

function looksLikeToken(credential: string): boolean {
  return credential.split('.').length === 3;
}

function verdictOf(result: TokenResult): Verdict {
  if (result.ok) return result.identity;
  const { code, message, user, retryAfterMs } = result;
  return new SluiceError(code, message, { who: { user }, retryAfterMs });
}
