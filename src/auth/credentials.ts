import { whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { ApiKeys } from './api-keys.ts';
import type { Identity } from './identity.ts';
import type { TokenResult, TokenVerifier } from './tokens.ts';

/** The caller, or why it is refused. The error is for the client, and holds no part of the credential. */
export type Verdict = Identity | SluiceError;

/** The credentials that this gateway accepts: the same for HTTP, upgrades and the command `connect`. */
export interface Credentials {
  readonly takesKeys: boolean;
  readonly takesTokens: boolean;
  /** Returns a promise only where a new token has to be verified. Never rejects. */
  identify(credential: string): Verdict | Promise<Verdict>;
  /** The identity of a topic token: it has a `grant`. As `identify`. */
  identifyTopicToken(token: string): Verdict | Promise<Verdict>;
}

/** `tokens` is absent: no tokens are taken. `refusal`: why the identity of a valid token is not good any more. */
export function createCredentials(
  keys: ApiKeys,
  tokens?: TokenVerifier,
  refusal: (identity: Identity) => SluiceError | undefined = () => undefined,
): Credentials {
  const takesKeys = keys.size > 0;
  return {
    takesKeys,
    takesTokens: tokens !== undefined,
    identify(credential) {
      const byKey = keys.identify(credential);
      if (byKey !== undefined) return byKey;
      if (tokens !== undefined && (!takesKeys || looksLikeToken(credential))) {
        return whenDone(tokens.verify(credential), (result) => identityOf(verdictOf(result, refusal)));
      }
      if (takesKeys) return new SluiceError('unauthorized', 'this API key is not known');
      return new SluiceError('unauthorized', 'this gateway takes neither tokens nor API keys');
    },
    identifyTopicToken(token) {
      if (tokens === undefined) return new SluiceError('unauthorized', 'this gateway takes no tokens');
      return whenDone(tokens.verify(token), (result) => topicTokenOf(verdictOf(result, refusal)));
    },
  };
}

function identityOf(verdict: Verdict): Verdict {
  if (verdict instanceof SluiceError || verdict.grant === undefined) return verdict;
  return new SluiceError('unauthorized', 'this token is for a subscription, not for a connection');
}

function topicTokenOf(verdict: Verdict): Verdict {
  if (verdict instanceof SluiceError || verdict.grant !== undefined) return verdict;
  return new SluiceError('unauthorized', 'the token of a subscription needs the claim topic');
}

/** Whether clients need a credential. Without keys and token secret the origin of a request decides. */
export function needsCredentials({ takesKeys, takesTokens }: Credentials): boolean {
  return takesKeys || takesTokens;
}

function looksLikeToken(credential: string): boolean {
  return credential.split('.').length === 3;
}

function verdictOf(result: TokenResult, refusal: (identity: Identity) => SluiceError | undefined): Verdict {
  if (result.ok) return refusal(result.identity) ?? result.identity;
  const { code, message, user, retryAfterMs } = result;
  return new SluiceError(code, message, { who: { user }, retryAfterMs });
}
