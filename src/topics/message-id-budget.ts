import { sha256 } from '../digest.ts';
import { SluiceError } from '../errors.ts';
import { IdRecords } from './id-records.ts';
import { Numbered } from './numbered.ts';
import { gatewayPayer, type Payer } from './payer.ts';

export const messageIdWindowMs = 5 * 60_000;

/** How many bytes of message ids may be remembered. */
export interface MessageIdLimits {
  readonly perPayer: number;
  /** The limit of all payers together. Those that are not verified have a quarter of it. */
  readonly total: number;
}

/** Per payer 2184 new ids a second. */
export const messageIdLimits: MessageIdLimits = { perPayer: 40 * 2 ** 20, total: 160 * 2 ** 20 };

/** The part of the total that payers without an identity have together. */
const unverifiedShare = 1 / 4;

/** What an id costs, whatever its length: a record of `IdRecords`, and its place in the table there. */
export const messageIdBytes = 64;

/** The publication that an id was first used for, and when. */
export interface FirstUse {
  readonly offset: number;
  readonly digest: string;
  readonly atMs: number;
}

/** A topic that remembers ids. */
export interface IdOwner {
  /** Its oldest id, that of the publication with this offset, is older than the window. */
  expired(offset: number): void;
}

/** What one payer holds. */
class Account {
  readonly name: string;
  readonly isVerified: boolean;
  number = 0;
  bytes = 0;
  /** Records. */
  oldest: number | undefined;
  newest = 0;

  constructor({ account, isVerified }: Payer) {
    this.name = account;
    this.isVerified = isVerified;
  }
}

/**
 * The message ids of all topics of an engine, charged to who published them. None is dropped before its window ends, so
 * a payer that has too many is refused further ones. It may hold `perPayer`, and no more than what stays free beside
 * it: many payers that take all they can still leave room for others.
 */
export class MessageIdBudget {
  readonly #limits: MessageIdLimits;
  readonly #records = new IdRecords();
  readonly #accounts = new Map<string, Account>();
  readonly #numbered = new Numbered<Account>();
  readonly #owners = new Numbered<IdOwner>();
  #bytes = 0;
  #unverifiedBytes = 0;

  constructor(limits: MessageIdLimits = messageIdLimits) {
    this.#limits = limits;
  }

  /** The bytes of all ids that are remembered at this time. */
  bytesAt(nowMs: number): number {
    this.prune(nowMs);
    return this.#bytes;
  }

  /** Payers that hold ids. */
  get payers(): number {
    return this.#accounts.size;
  }

  /** Returns the number by which ids of this owner are added and found, until `removeOwner`. */
  addOwner(owner: IdOwner): number {
    return this.#owners.add(owner);
  }

  /** It has no ids any more. */
  removeOwner(owner: number): void {
    this.#owners.remove(owner);
  }

  /** Why the payer can't have one more id remembered; undefined: it can. */
  refusal(payer: Payer | undefined, nowMs: number): SluiceError | undefined {
    const retryAfterMs = this.#waitMs(payer ?? gatewayPayer, nowMs);
    return retryAfterMs === 0
      ? undefined
      : new SluiceError('rate_limited', 'too many messageIds within 5 minutes', { retryAfterMs });
  }

  #waitMs(payer: Payer, nowMs: number): number {
    this.prune(nowMs);
    const account = this.#accounts.get(payer.account);
    const { perPayer, total } = this.#limits;
    const free = payer.isVerified
      ? total - this.#bytes
      : Math.min(total * unverifiedShare - this.#unverifiedBytes, total - this.#bytes);
    if ((account?.bytes ?? 0) + messageIdBytes <= Math.min(perPayer, free)) return 0;
    const oldest = account?.oldest ?? this.#records.oldest;
    const atMs = oldest === undefined ? nowMs : this.#records.atMsOf(oldest);
    return Math.max(1, atMs + messageIdWindowMs - nowMs);
  }

  /** What is remembered of an id; undefined: nothing. It may be older than the window. */
  find(key: IdKey): RememberedId | undefined {
    const record = this.#records.find(key.words);
    if (record === undefined) return undefined;
    return {
      offset: this.#records.offsetOf(record),
      atMs: this.#records.atMsOf(record),
      isOf: (digest) => this.#records.hasDigest(record, digestWordsOf(digest)),
    };
  }

  /** Remembers and charges an id, which `refusal` allowed or a store has kept. */
  add(payer: Payer, { words, owner }: IdKey, { offset, digest, atMs }: FirstUse): void {
    this.#add(payer, { key: words, digest: digestWordsOf(digest), offset, atMs, owner });
  }

  /** Charges an id that is remembered elsewhere, for the window, until `cancel` with the number that it returns. */
  charge(payer: Payer, atMs: number): number {
    return this.#add(payer, { key: undefined, digest: noDigest, offset: 0, atMs, owner: noOwner });
  }

  /** It turned out not to be remembered. */
  cancel(record: number): void {
    if (!this.#records.has(record) || this.#records.isCancelled(record)) return;
    this.#records.cancel(record);
    this.#charge(this.#numbered.get(this.#records.accountOf(record)), -messageIdBytes);
  }

  /** Forgets what is older than the window. */
  prune(nowMs: number): void {
    for (let oldest = this.#records.oldest; oldest !== undefined; oldest = this.#records.oldest) {
      if (nowMs - this.#records.atMsOf(oldest) < messageIdWindowMs) return;
      this.#release(oldest);
      const owner = this.#records.ownerOf(oldest);
      const offset = this.#records.offsetOf(oldest);
      this.#records.removeOldest();
      if (owner !== noOwner) this.#owners.get(owner).expired(offset);
    }
  }

  #add(payer: Payer, fields: Omit<Parameters<IdRecords['add']>[0], 'account'>): number {
    const account = this.#account(payer);
    const record = this.#records.add({ ...fields, account: account.number });
    if (account.oldest === undefined) account.oldest = record;
    else this.#records.linkOfAccount(account.newest, record);
    account.newest = record;
    this.#charge(account, messageIdBytes);
    return record;
  }

  #account(payer: Payer): Account {
    let account = this.#accounts.get(payer.account);
    if (account === undefined) {
      account = new Account(payer);
      account.number = this.#numbered.add(account);
      this.#accounts.set(payer.account, account);
    }
    return account;
  }

  /** The oldest id of all is the oldest of its account. */
  #release(record: number): void {
    const account = this.#numbered.get(this.#records.accountOf(record));
    account.oldest = this.#records.nextOfAccount(record);
    if (account.oldest === undefined) {
      this.#accounts.delete(account.name);
      this.#numbered.remove(account.number);
    }
    if (!this.#records.isCancelled(record)) this.#charge(account, -messageIdBytes);
  }

  #charge(account: Account, bytes: number): void {
    account.bytes += bytes;
    this.#bytes += bytes;
    if (!account.isVerified) this.#unverifiedBytes += bytes;
  }
}

export interface RememberedId {
  readonly offset: number;
  readonly atMs: number;
  /** Whether it was used for a publication with this digest. */
  isOf(digest: string): boolean;
}

const noOwner = 2 ** 32 - 1;
const noDigest = new Uint32Array(2);

/** By what an id of an owner is found. */
export interface IdKey {
  readonly owner: number;
  /** 128 bits of SHA-256. With less, a client could find an id for which another's publication is taken as a repeat. */
  readonly words: Uint32Array;
}

export function idKey(owner: number, messageId: string): IdKey {
  const { buffer, byteOffset } = sha256(`${owner} ${messageId}`);
  const words = new Uint32Array(4);
  new Uint8Array(words.buffer).set(new Uint8Array(buffer, byteOffset, words.byteLength));
  return { owner, words };
}

/** Two words of a digest: enough to notice an id that is used for another publication by mistake. */
function digestWordsOf(digest: string): Uint32Array {
  let one = 0x811c9dc5;
  let other = 0x9e3779b9;
  for (let i = 0; i < digest.length; i++) {
    const unit = digest.charCodeAt(i);
    one = Math.imul(one ^ unit, 0x01000193);
    other = Math.imul(other ^ unit, 0x85ebca6b) + one;
  }
  return Uint32Array.of(one, other);
}
