import type { Payer } from '../topics/payer.ts';

/** Questions of one account, so that one client leaves room for others. */
const perAccountMax = 32;
/** Questions of all clients without a key or user at one address: a quarter of those that may wait (`gate.ts`). */
const perAddressMax = 250;

/** Counts the questions to a hook that wait or are being asked, by payer. */
export class QuestionCounts {
  readonly #ofAccount = new Map<string, number>();
  readonly #ofAddress = new Map<string, number>();

  /** The questions of all payers. */
  get total(): number {
    let total = 0;
    for (const count of this.#ofAccount.values()) total += count;
    return total;
  }

  /**
   * Whether this payer may ask one more question. `free`: the number of places for questions that wait. A payer never
   * has more questions than there are free places, so payers that ask all they can leave room for others.
   */
  hasRoom(payer: Payer, free: number): boolean {
    const ofAccount = this.#ofAccount.get(payer.account) ?? 0;
    const ofAddress = this.#ofAddress.get(addressOf(payer)) ?? 0;
    return ofAccount < Math.min(perAccountMax, free) && ofAddress < Math.min(perAddressMax, free);
  }

  add(payer: Payer): void {
    this.#count(payer, 1);
  }

  remove(payer: Payer): void {
    this.#count(payer, -1);
  }

  #count(payer: Payer, by: 1 | -1): void {
    countIn(this.#ofAccount, payer.account, by);
    if (!payer.isVerified) countIn(this.#ofAddress, addressOf(payer), by);
  }
}

/** The address that an unverified payer shares with others. */
export function addressOf({ account, address = account }: Payer): string {
  return address;
}

export function countIn(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
