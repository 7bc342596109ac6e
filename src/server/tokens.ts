import { fetchKeyDocument, readKeyFile } from '../auth/key-document.ts';
import {
  keysByAlgorithm,
  PublishedKeys,
  publicKeyAlgorithms,
  secretKeys,
  type TokenAlgorithm,
  type TokenKeys,
} from '../auth/token-keys.ts';
import { type TokenVerifier, tokenVerifier } from '../auth/tokens.ts';
import type { Config } from '../config.ts';
import type { Environment } from './environment.ts';

const cooldownMs = 30_000;
/** A file is read as often as an operator would wait for it, a server as often as it should be asked. */
const fileMaxAgeMs = 5_000;
const urlMaxAgeMs = 10 * 60_000;

/** The verifier of the tokens that the configuration lets in. */
export function createTokenVerifier(environment: Environment): TokenVerifier {
  const { config } = environment;
  const secret = config.tokenSecret === undefined ? undefined : secretKeys(config.tokenSecret);
  const published = createPublishedKeys(environment);
  const algorithms: TokenAlgorithm[] = [
    ...(secret ? ['HS256' as const] : []),
    ...(published ? publicKeyAlgorithms : []),
  ];
  const { tokenAlgorithms, tokenIssuer, tokenAudience, tokenClockToleranceSeconds } = config;
  return tokenVerifier({
    keys: keysByAlgorithm(secret, published),
    algorithms: algorithms.filter((each) => tokenAlgorithms.length === 0 || tokenAlgorithms.includes(each)),
    issuer: tokenIssuer,
    audience: tokenAudience,
    clockToleranceMs: tokenClockToleranceSeconds * 1000,
  });
}

function createPublishedKeys({ config, log, monotonicMs }: Environment): TokenKeys | undefined {
  const source = sourceOf(config);
  if (!source) return undefined;
  const { name, ...times } = source;
  const keys = new PublishedKeys({
    ...times,
    monotonicMs,
    loaded: (count) => log.info({ source: name, keys: count }, 'Loaded the keys of tokens.'),
    failed: (cause) =>
      log.error(
        { source: name, err: cause },
        'The keys of tokens could not be loaded; those loaded before stay.',
      ),
  });
  // The gateway starts without waiting for a server that may be away: tokens are refused for now, not for good.
  void keys.load();
  return keys;
}

function sourceOf({ tokenKeysFile: file, tokenKeysUrl: url }: Config) {
  if (file !== '')
    return { name: file, load: () => readKeyFile(file), maxAgeMs: fileMaxAgeMs, cooldownMs: 1_000 };
  if (url !== '') return { name: url, load: () => fetchKeyDocument(url), maxAgeMs: urlMaxAgeMs, cooldownMs };
  return undefined;
}
