import type { Payer } from '../topics/payer.ts';
import type { Identity } from './identity.ts';

// What is held and done for a client is charged to an account: that of the verified identity, else of the session, else
// of the address. Accounts are keys of maps: no label and no log line shows one.

/** The account of a verified identity; undefined: it names no one. */
export function accountOf({ apiKey, user }: Identity): string | undefined {
  if (apiKey !== undefined) return `key ${apiKey}`;
  return user === undefined ? undefined : `user ${user}`;
}

/** Who pays: the identity; where it names no one, the account of the session or address. */
export function payerOf(identity: Identity, otherwise: string, address?: string): Payer {
  const account = accountOf(identity);
  // This machine itself has all scopes and no name.
  const isVerified = account !== undefined || identity.scopes.length > 0;
  return isVerified || address === undefined
    ? { account: account ?? otherwise, isVerified }
    : { account: otherwise, isVerified, address };
}

/** The account of an address, by its key. */
export function addressPayer(addressKey: string): string {
  return `address ${addressKey}`;
}
