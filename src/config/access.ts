/** The options that decide whether a client needs a credential. */
interface AccessOptions extends TokenSources {
  readonly apiKeys: readonly unknown[];
  readonly anonymous: boolean;
}

/** The options that enable tokens. */
interface TokenSources {
  readonly tokenSecret: string | undefined;
  readonly tokenKeysFile: string;
  readonly tokenKeysUrl: string;
}

export function takesTokens({ tokenSecret, tokenKeysFile, tokenKeysUrl }: TokenSources): boolean {
  return tokenSecret !== undefined || hasPublicKeys({ tokenKeysFile, tokenKeysUrl });
}

export function hasPublicKeys({ tokenKeysFile, tokenKeysUrl }: Omit<TokenSources, 'tokenSecret'>): boolean {
  return tokenKeysFile !== '' || tokenKeysUrl !== '';
}

/** Without API keys and tokens no client needs a credential, and only this machine can reach the gateway. */
export function hasCredentials(access: Omit<AccessOptions, 'anonymous'>): boolean {
  return access.apiKeys.length > 0 || takesTokens(access);
}

/** Whether clients without a credential are admitted. */
export function admitsAnonymous(access: AccessOptions): boolean {
  return access.anonymous || !hasCredentials(access);
}
