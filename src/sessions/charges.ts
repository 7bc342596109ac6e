/** Charges bytes that the gateway holds to the clients that cause it. */
export interface ByteCharges {
  /** Charges these bytes. False: the payer, or all payers together, would exceed their limit. */
  take(account: string, bytes: number): boolean;
  /** The bytes are free again. */
  give(account: string, bytes: number): void;
}

export interface ByteLimits {
  readonly perPayer: number;
  readonly total: number;
}

/** Counts bytes by payer. The limit per payer leaves the rest of the total to other payers. */
export class HeldBytes implements ByteCharges {
  readonly #limits: ByteLimits;
  readonly #byAccount = new Map<string, number>();
  #total = 0;

  constructor(limits: ByteLimits) {
    this.#limits = limits;
  }

  /** Of all payers. */
  get total(): number {
    return this.#total;
  }

  take(account: string, bytes: number): boolean {
    const held = (this.#byAccount.get(account) ?? 0) + bytes;
    if (held > this.#limits.perPayer || this.#total + bytes > this.#limits.total) return false;
    this.#byAccount.set(account, held);
    this.#total += bytes;
    return true;
  }

  give(account: string, bytes: number): void {
    const held = (this.#byAccount.get(account) ?? 0) - bytes;
    this.#total -= bytes;
    if (held > 0) this.#byAccount.set(account, held);
    else this.#byAccount.delete(account);
  }
}
