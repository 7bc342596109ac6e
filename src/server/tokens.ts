import { fetchKeyDocument, readKeyFile } from '../auth/key-document.ts';
import {
  keysByAlgorithm,
  PublishedKeys,
  publicKeyAlgorithms,
  secretKeys,
  type TokenAlgorithm,
} from '../auth/token-keys.ts';
import { type TokenVerifier, tokenVerifier } from '../auth/tokens.ts';
import { type Config, type OptionName, takesTokens } from '../config.ts';
import { withoutUrlSecrets } from '../url.ts';
import type { Environment } from './environment.ts';

const cooldownMs = 30_000;
/** How old loaded keys may be: a file's not long, for an operator who waits; a server's longer, to spare it. */
const fileMaxAgeMs = 5_000;
const urlMaxAgeMs = 10 * 60_000;

/** The options that the verifier depends on. */
const optionNames = [
  'tokenSecret',
  'tokenKeysFile',
  'tokenKeysUrl',
  'tokenAlgorithms',
  'tokenIssuer',
  'tokenAudience',
  'tokenClockToleranceSeconds',
] as const satisfies readonly OptionName[];

/** The verifier of tokens, by the configuration. */
export class Tokens {
  readonly #environment: Environment;
  #madeOf = '';
  #verifier: TokenVerifier | undefined;
  #keys: { readonly source: string; readonly keys: PublishedKeys } | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * The verifier for the present options; undefined: no tokens are taken. While they are the same it is the same
   * verifier.
   */
  verifier(): TokenVerifier | undefined {
    const { config } = this.#environment;
    const madeOf = JSON.stringify(optionNames.map((name) => config[name]));
    if (madeOf === this.#madeOf) return this.#verifier;
    this.#madeOf = madeOf;
    this.#verifier = takesTokens(config) ? this.#create(config) : undefined;
    return this.#verifier;
  }

  /** Loads the public keys again. Those that there are serve until then. */
  async reload(): Promise<void> {
    await this.#keys?.keys.load();
  }

  #create(config: Config): TokenVerifier {
    const secret = config.tokenSecret === undefined ? undefined : secretKeys(config.tokenSecret);
    const published = this.#published(config);
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

  /** Keys are kept while their source is the same: loading them may take a while. */
  #published(config: Config): PublishedKeys | undefined {
    const source = sourceOf(config);
    if (source?.name !== this.#keys?.source)
      this.#keys = source && { source: source.name, keys: createPublishedKeys(this.#environment, source) };
    return this.#keys?.keys;
  }
}

type KeySource = NonNullable<ReturnType<typeof sourceOf>>;

function createPublishedKeys({ log, monotonicMs }: Environment, source: KeySource): PublishedKeys {
  const { name, ...times } = source;
  const shown = withoutUrlSecrets(name);
  const keys = new PublishedKeys({
    ...times,
    monotonicMs,
    loaded: (count) => log.info({ source: shown, keys: count }, 'loaded the keys of tokens'),
    failed: (cause) =>
      log.error(
        { source: shown, err: cause },
        keys.revision === 0
          ? 'The keys of tokens could not be loaded: tokens that they sign are refused until they are.'
          : 'The keys of tokens could not be loaded; those loaded before stay.',
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
