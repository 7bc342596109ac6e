import type { Payer } from '../../topics/payer.ts';

/** Charges bytes that the gateway holds to the clients that cause it. */
export interface ByteCharges {
  /** Charges these bytes. False: the payer, or all payers together, would exceed their limit. */
  take(account: string, bytes: number): boolean;
  /** Gives the bytes back. */
  give(account: string, bytes: number): void;
}

export interface ByteLimits {
  readonly perPayer: number;
  readonly total: number;
  /**
   * A payer may then hold no more than what stays free beside it: many payers that take all they can still leave room
   * for others.
   */
  readonly leavesRoom?: boolean;
}

/** Counts bytes by payer. The limit per payer leaves the rest of the total to other payers. */
export class HeldBytes implements ByteCharges {
  readonly #limits: ByteLimits;
  readonly #byAccount = new Map<string, number>();
  #total = 0;

  constructor(limits: ByteLimits) {
    this.#limits = limits;
  }

  /** The bytes of all payers. */
  get total(): number {
    return this.#total;
  }

  take(account: string, bytes: number): boolean {
    if (!this.#mayHold(account, bytes)) return false;
    this.charge(account, bytes);
    return true;
  }

  /**
   * Whether the payer may begin something that may come to hold these bytes. Charges nothing. True while nothing at all
   * is held. `freed`: bytes of the payer that count as free, because it gives them back then.
   */
  hasRoom(account: string, bytes: number, freed = 0): boolean {
    return this.#total === freed || this.#mayHold(account, bytes, freed);
  }

  #mayHold(account: string, bytes: number, freed = 0): boolean {
    const { perPayer, total, leavesRoom = false } = this.#limits;
    const held = (this.#byAccount.get(account) ?? 0) - freed + bytes;
    return held <= perPayer && (leavesRoom ? held : bytes) <= total - this.#total + freed;
  }

  /** Charges bytes that are held already, even above the limits. */
  charge(account: string, bytes: number): void {
    this.#byAccount.set(account, (this.#byAccount.get(account) ?? 0) + bytes);
    this.#total += bytes;
  }

  /** Charges bytes that no payer of this process causes. False: all together would exceed their limit. */
  takeForNone(bytes: number): boolean {
    if (this.#total + bytes > this.#limits.total) return false;
    this.#total += bytes;
    return true;
  }

  giveForNone(bytes: number): void {
    this.#total -= bytes;
  }

  give(account: string, bytes: number): void {
    const held = (this.#byAccount.get(account) ?? 0) - bytes;
    this.#total -= bytes;
    if (held > 0) this.#byAccount.set(account, held);
    else this.#byAccount.delete(account);
  }
}

/**
 * Counts bytes by payer, and those of unverified payers by address too: together these may hold a quarter of the total,
 * or as much as one payer.
 */
export class HeldByPayers {
  readonly #held: HeldBytes;
  readonly #ofAddresses: HeldBytes;

  constructor(limits: ByteLimits) {
    const { perPayer, total } = limits;
    this.#held = new HeldBytes(limits);
    this.#ofAddresses = new HeldBytes({ perPayer: Math.max(perPayer, total / 4), total });
  }

  /** The bytes of all payers. */
  get total(): number {
    return this.#held.total;
  }

  /** Charges these bytes. False: the payer, its address or all payers together would exceed their limit. */
  take({ account, address = account, isVerified }: Payer, bytes: number): boolean {
    if (!this.#held.take(account, bytes)) return false;
    if (isVerified || this.#ofAddresses.take(address, bytes)) return true;
    this.#held.give(account, bytes);
    return false;
  }

  /** Gives the bytes back. */
  give({ account, address = account, isVerified }: Payer, bytes: number): void {
    this.#held.give(account, bytes);
    if (!isVerified) this.#ofAddresses.give(address, bytes);
  }
}

/** Bytes that a payer is charged until their end. */
export class Charge {
  readonly #held: HeldBytes;
  readonly #account: string;
  #bytes: number;

  /** Charges them, even above the limits. */
  constructor(held: HeldBytes, account: string, bytes: number) {
    this.#held = held;
    this.#account = account;
    this.#bytes = bytes;
    held.charge(account, bytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** They are free again. More calls do nothing. */
  end(): void {
    this.#held.give(this.#account, this.#bytes);
    this.#bytes = 0;
  }
}
