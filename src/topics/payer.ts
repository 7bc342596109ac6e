/** The account that pays for what the gateway keeps because of a publish. */
export interface Payer {
  /** Never shown: no label and no log line. */
  readonly account: string;
  /** A key, a user, or the gateway itself. Of sessions and addresses, anyone can have any number. */
  readonly isVerified: boolean;
  /** Of a session that is not: the account of its address, which has a share of its own where places are few. */
  readonly address?: string;
}

/** Publishes of the gateway's own. */
export const gatewayPayer: Payer = { account: 'gateway', isVerified: true };
