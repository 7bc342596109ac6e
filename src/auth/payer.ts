import type { Payer } from '../topics/payer.ts';
import { type Identity, isOperator } from './identity.ts';

// A payer is charged for memory and work, on its account: that of its verified identity, else its session, else its
// address. Accounts are keys of maps, and appear in no label and no log line.

/** The account of a verified identity; undefined: it has no name. */
export function accountOf({ apiKey, user }: Identity): string | undefined {
  if (apiKey !== undefined) return `key ${apiKey}`;
  return user === undefined ? undefined : `user ${user}`;
}

/** The payer: the identity, or the account of the session or address where the identity has no name. */
export function payerOf(identity: Identity, otherwise: string, address?: string): Payer {
  const account = accountOf(identity);
  // This machine itself has all scopes and no name.
  const isVerified = account !== undefined || isOperator(identity);
  return isVerified || address === undefined
    ? { account: account ?? otherwise, isVerified }
    : { account: otherwise, isVerified, address };
}

/** The account of an address, by its key. */
export function addressAccount(addressKey: string): string {
  return `address ${addressKey}`;
}
