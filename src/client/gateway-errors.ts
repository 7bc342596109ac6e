/** Whether another token or key can mend it: the codes of `auth: 'credential'` that are not to be retried. */
export function needsOtherCredential(code: string): boolean {
  return code === 'unauthorized' || code === 'token_expired' || code === 'token_revoked';
}

/** Whether the same request may succeed later. Also of an unknown code, which has the number 0. */
export function mayRetry(number: number): boolean {
  return number === 0 || number === 116 || number === 117 || number >= 140;
}
