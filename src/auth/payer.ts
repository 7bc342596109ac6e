import type { Payer } from '../topics/payer.ts';
import { type Identity, isOperator } from './identity.ts';

// A payer is charged for memory and work, on its account: that of its verified identity, else its session, else its
// address. Accounts are keys of maps, and appear in no label and no log line.

/** The account of a verified identity; undefined: it has no name. */
export function accountOf({ apiKey, user }: Identity): string | undefined {
  if (apiKey !== undefined) return `key ${apiKey}`;
  return user === undefined ? undefined : `user ${user}`;
}

/** The payer: the identity, or the account of the address where the identity has no name. */
export function payerOf(identity: Identity, otherwise: string): Payer {
  const account = accountOf(identity);
  // This machine itself has all scopes and no name.
  const isOperators = isOperator(identity);
  const isVerified = account !== undefined || isOperators;
  return { account: account ?? otherwise, isVerified, isOperator: isOperators };
}

/** The payer of a session. Without a name it is the session itself, whose id is no account of anything else. */
export function payerOfSession(identity: Identity, sessionId: string, addressKey: string): Payer {
  const payer = payerOf(identity, sessionId);
  return payer.isVerified ? payer : new UnverifiedSession(sessionId, addressKey);
}

/**
 * The payer of a session without a name. Each such session has one, so the account of the address is built only when it
 * is needed.
 */
class UnverifiedSession implements Payer {
  readonly account: string;
  readonly #addressKey: string;

  constructor(account: string, addressKey: string) {
    this.account = account;
    this.#addressKey = addressKey;
  }

  get isVerified(): boolean {
    return false;
  }

  get address(): string {
    return addressAccount(this.#addressKey);
  }
}

/** The account of an address, by its key. */
export function addressAccount(addressKey: string): string {
  return `address ${addressKey}`;
}
