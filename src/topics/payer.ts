/** The account that pays for what the gateway keeps because of a publish. */
export interface Payer {
  /** Never shown: no label and no log line. */
  readonly account: string;
  /** A key, a user, or the gateway itself. Of sessions and addresses, anyone can have any number. */
  readonly isVerified: boolean;
}

/** Publishes of the gateway's own. */
export const gatewayPayer: Payer = { account: 'gateway', isVerified: true };
