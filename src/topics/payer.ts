/** The account that pays for what the gateway keeps because of a publish. */
export interface Payer {
  /** Never shown: no label and no log line. */
  readonly account: string;
  /** It is a key, a user or the gateway itself. A client can have any number of sessions and addresses. */
  readonly isVerified: boolean;
  /** It is a key or the gateway itself, and so the operator’s. */
  readonly isOperator?: boolean;
  /** For an unverified session: the account of its address, which has a share of its own where places are limited. */
  readonly address?: string;
}

/** Whom work and memory are charged to that outlive a session or need none, as over HTTP. */
export function lastingAccount({ account, address }: Payer): string {
  return address ?? account;
}

/** Publishes of the gateway's own. */
export const gatewayPayer: Payer = { account: 'gateway', isVerified: true, isOperator: true };
