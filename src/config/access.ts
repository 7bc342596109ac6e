/** What decides whether a client has to show a credential. */
interface Access {
  readonly apiKeys: readonly string[];
  readonly tokenSecret: string | undefined;
  readonly anonymous: boolean;
}

/** Without API keys and token secret there is nothing to be shown, and only this machine can reach the gateway. */
export function needsCredentials({ apiKeys, tokenSecret }: Omit<Access, 'anonymous'>): boolean {
  return apiKeys.length > 0 || tokenSecret !== undefined;
}

/** Whether clients without a credential are let in. */
export function admitsAnonymous(access: Access): boolean {
  return access.anonymous || !needsCredentials(access);
}
