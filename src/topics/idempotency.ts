import { createHash } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import { fieldRows, type Kinds, type PublishFields } from '../protocol/publication.ts';
import type { AppendOutcome } from './engine.ts';
import {
  type FirstUse,
  type IdKey,
  type IdOwner,
  idKey,
  type MessageIdBudget,
  messageIdWindowMs,
} from './message-id-budget.ts';
import { gatewayPayer, type Payer } from './payer.ts';

/** A publish with a message id, as an engine is about to append it. */
export interface Candidate {
  readonly messageId: string;
  readonly digest: string;
  readonly payer: Payer | undefined;
  /** Where it would be appended. */
  readonly epoch: string;
  readonly offset: number;
}

/** The message ids that one topic remembers, each for 5 minutes. */
export class MessageIds implements IdOwner {
  readonly #budget: MessageIdBudget;
  /** Undefined while it remembers none. */
  #number: number | undefined;
  #size = 0;
  #expiredUpto = 0;

  constructor(budget: MessageIdBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#size;
  }

  /** No id of a publication up to this offset is remembered. */
  get expiredUpto(): number {
    return this.#expiredUpto;
  }

  /**
   * The outcome of a publish whose id was seen before, or whose payer is over its limit. Undefined: the id is new, and
   * is remembered from now on.
   */
  outcomeOf(
    { messageId, digest, payer, epoch, offset }: Candidate,
    nowMs: number,
  ): AppendOutcome | undefined {
    this.#budget.prune(nowMs);
    const key = this.#keyOf(messageId);
    const firstUse = this.#find(key, nowMs);
    if (firstUse !== undefined) {
      return firstUse.isOf(digest)
        ? { ok: true, epoch, offset: firstUse.offset, duplicate: true }
        : { ok: false, error: new SluiceError('message_id_conflict') };
    }
    const refusal = this.#budget.refusal(payer, nowMs);
    if (refusal !== undefined) return { ok: false, error: refusal };
    this.#add(payer ?? gatewayPayer, messageId, key, { offset, digest, atMs: nowMs });
    return undefined;
  }

  /** Remembers an id that a store has kept, unless it is older than the window. Call it oldest first. */
  restore(messageId: string, firstUse: FirstUse, payer: Payer, nowMs: number): void {
    if (nowMs - firstUse.atMs >= messageIdWindowMs) {
      if (this.#size === 0) this.#expiredUpto = Math.max(this.#expiredUpto, firstUse.offset);
      return;
    }
    const key = this.#keyOf(messageId);
    if (this.#find(key, nowMs) !== undefined) return;
    // The clock may have been set back since.
    this.#add(payer, messageId, key, { ...firstUse, atMs: Math.min(firstUse.atMs, nowMs) });
  }

  /** Forgets what is older than the window. Returns how many live. */
  prune(nowMs: number): number {
    this.#budget.prune(nowMs);
    return this.#size;
  }

  expired(offset: number): void {
    this.#expiredUpto = offset;
    this.#size--;
    if (this.#size > 0) return;
    this.#budget.removeOwner(this.#number as number);
    this.#number = undefined;
  }

  #keyOf(messageId: string): IdKey | undefined {
    return this.#number === undefined ? undefined : idKey(this.#number, messageId);
  }

  #find(key: IdKey | undefined, nowMs: number) {
    const firstUse = key === undefined ? undefined : this.#budget.find(key);
    return firstUse !== undefined && nowMs - firstUse.atMs < messageIdWindowMs ? firstUse : undefined;
  }

  #add(payer: Payer, messageId: string, key: IdKey | undefined, firstUse: FirstUse): void {
    this.#number ??= this.#budget.addOwner(this);
    this.#size++;
    this.#budget.add(payer, key ?? idKey(this.#number, messageId), firstUse);
  }
}

const identifyingRows = fieldRows.filter(({ identifies }) => identifies);

/** Tells whether two publishes with the same message id are the same publication. */
export function publicationDigest(fields: PublishFields): string {
  const values = identifyingRows.map(({ name, kind }) => canonical[kind](fields[name] as never));
  return createHash('sha256')
    .update(JSON.stringify([fields.type, ...values, fields.payload.format]))
    .update(fields.payload.bytes)
    .digest('base64');
}

type Canonical<T> = (value: T | undefined) => unknown;
const asItIs: Canonical<number> = (value) => value;

/** Equal for values that are the same to subscribers. */
const canonical: { readonly [K in keyof Kinds]: Canonical<Kinds[K]> } = {
  text: (value) => value || undefined,
  tags: (tags = {}) => Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)),
  flag: (value) => value === true,
  duration: asItIs,
  instant: asItIs,
  integer: asItIs,
};
