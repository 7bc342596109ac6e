import { SluiceError } from '../errors.ts';
import { gatewayPayer, type Payer } from './payer.ts';

export const messageIdWindowMs = 5 * 60_000;

/** How many bytes of message ids may be remembered. */
export interface MessageIdLimits {
  readonly perPayer: number;
  /** Of all payers. Those that are not verified have a quarter of it together. */
  readonly total: number;
}

export const messageIdLimits: MessageIdLimits = { perPayer: 8 * 2 ** 20, total: 128 * 2 ** 20 };

/** The part of the total that payers without an identity have together. */
const unverifiedShare = 1 / 4;

/** What an id costs besides its characters: its digest, two objects and their places in a map. Measured. */
const idOverheadBytes = 256;

/** What an id costs, in bytes. */
export function messageIdBytes(messageId: string): number {
  return idOverheadBytes + 2 * messageId.length;
}

/** An id that is remembered. */
export class RememberedId {
  readonly messageId: string;
  readonly offset: number;
  readonly digest: string;
  readonly atMs: number;
  readonly account: Account;
  readonly owner: IdOwner;
  /** It is no longer charged. */
  isCancelled = false;
  /** The next one of all, of its account, of its topic. */
  newer: RememberedId | undefined = undefined;
  newerOfAccount: RememberedId | undefined = undefined;
  newerOfTopic: RememberedId | undefined = undefined;

  constructor(messageId: string, { offset, digest, atMs }: Seen, account: Account, owner: IdOwner) {
    this.messageId = messageId;
    this.offset = offset;
    this.digest = digest;
    this.atMs = atMs;
    this.account = account;
    this.owner = owner;
  }
}

/** The publication that an id was first used for, and when. */
export interface Seen {
  readonly offset: number;
  readonly digest: string;
  readonly atMs: number;
}

/** Told that its oldest id is older than the window. */
export interface IdOwner {
  expireOldest(): void;
}

/** What one payer holds. */
class Account {
  readonly name: string;
  readonly isVerified: boolean;
  bytes = 0;
  oldest: RememberedId | undefined;
  newest: RememberedId | undefined;

  constructor({ account, isVerified }: Payer) {
    this.name = account;
    this.isVerified = isVerified;
  }
}

/**
 * The message ids of all topics of an engine, charged to who published them. None is dropped before its window ends, so
 * a payer that has too many is refused further ones. It may hold `perPayer`, and no more than what is then still free:
 * many that take all they can leave room for others.
 */
export class MessageIdBudget {
  readonly #limits: MessageIdLimits;
  readonly #accounts = new Map<string, Account>();
  #oldest: RememberedId | undefined;
  #newest: RememberedId | undefined;
  #bytes = 0;
  #unverifiedBytes = 0;

  constructor(limits: MessageIdLimits = messageIdLimits) {
    this.#limits = limits;
  }

  /** Of all ids that are remembered at this time. */
  bytesAt(nowMs: number): number {
    this.prune(nowMs);
    return this.#bytes;
  }

  /** Payers that hold ids. */
  get payers(): number {
    return this.#accounts.size;
  }

  /** Why the payer can't have one more id remembered; undefined: it can. */
  refusal(payer: Payer | undefined, messageId: string, nowMs: number): SluiceError | undefined {
    const retryAfterMs = this.#waitMs(payer ?? gatewayPayer, messageId, nowMs);
    return retryAfterMs === 0
      ? undefined
      : new SluiceError('rate_limited', 'too many messageIds within 5 minutes', { retryAfterMs });
  }

  #waitMs(payer: Payer, messageId: string, nowMs: number): number {
    this.prune(nowMs);
    const account = this.#accounts.get(payer.account);
    const { perPayer, total } = this.#limits;
    const free = payer.isVerified
      ? total - this.#bytes
      : Math.min(total * unverifiedShare - this.#unverifiedBytes, total - this.#bytes);
    const bytes = messageIdBytes(messageId);
    if ((account?.bytes ?? 0) + bytes <= Math.min(perPayer, free)) return 0;
    const oldest = account?.oldest ?? this.#oldest;
    return Math.max(1, (oldest?.atMs ?? nowMs) + messageIdWindowMs - nowMs);
  }

  /** Charges the id, which `refusal` allowed or a store has kept. */
  add(payer: Payer, messageId: string, seen: Seen, owner: IdOwner): RememberedId {
    const account = this.#account(payer);
    const id = new RememberedId(messageId, seen, account, owner);
    if (this.#newest === undefined) this.#oldest = id;
    else this.#newest.newer = id;
    this.#newest = id;
    if (account.newest === undefined) account.oldest = id;
    else account.newest.newerOfAccount = id;
    account.newest = id;
    this.#charge(account, messageIdBytes(messageId));
    return id;
  }

  /** It turned out not to be remembered. */
  cancel(id: RememberedId): void {
    if (id.isCancelled) return;
    id.isCancelled = true;
    this.#charge(id.account, -messageIdBytes(id.messageId));
  }

  /** Forgets what is older than the window. */
  prune(nowMs: number): void {
    for (let oldest = this.#oldest; oldest !== undefined; oldest = this.#oldest) {
      if (nowMs - oldest.atMs < messageIdWindowMs) return;
      this.#oldest = oldest.newer;
      if (this.#oldest === undefined) this.#newest = undefined;
      this.#release(oldest);
      oldest.owner.expireOldest();
    }
  }

  #account(payer: Payer): Account {
    let account = this.#accounts.get(payer.account);
    if (account === undefined) {
      account = new Account(payer);
      this.#accounts.set(payer.account, account);
    }
    return account;
  }

  /** The oldest id of an account is the oldest of all among its own. */
  #release({ account, messageId, newerOfAccount, isCancelled }: RememberedId): void {
    account.oldest = newerOfAccount;
    if (newerOfAccount === undefined) {
      account.newest = undefined;
      this.#accounts.delete(account.name);
    }
    if (!isCancelled) this.#charge(account, -messageIdBytes(messageId));
  }

  #charge(account: Account, bytes: number): void {
    account.bytes += bytes;
    this.#bytes += bytes;
    if (!account.isVerified) this.#unverifiedBytes += bytes;
  }
}
