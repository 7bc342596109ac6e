/** Whether another token or key can mend it: the codes of `auth: 'credential'` that are not to be retried. */
export function needsOtherCredential(code: string): boolean {
  return code === 'unauthorized' || code === 'token_expired' || code === 'token_revoked';
}
