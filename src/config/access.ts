/** The options that decide whether a client needs a credential. */
interface Access {
  readonly apiKeys: readonly string[];
  readonly tokenSecret: string | undefined;
  readonly anonymous: boolean;
}

/** Without API keys and token secret no client needs a credential, and only this machine can reach the gateway. */
export function needsCredentials({ apiKeys, tokenSecret }: Omit<Access, 'anonymous'>): boolean {
  return apiKeys.length > 0 || tokenSecret !== undefined;
}

/** Whether clients without a credential are admitted. */
export function admitsAnonymous(access: Access): boolean {
  return access.anonymous || !needsCredentials(access);
}
