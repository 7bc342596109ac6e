/** Whether another token or key may succeed: the codes with `auth: 'credential'` that are not worth a retry. */
export function needsOtherCredential(code: string): boolean {
  return /^(unauthorized|token_(expired|revoked))$/.test(code);
}
