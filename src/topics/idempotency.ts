import { createHash } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import { fieldRows, type Kinds, type PublishFields } from '../protocol/publication.ts';
import type { AppendOutcome } from './engine.ts';
import {
  type IdOwner,
  type MessageIdBudget,
  messageIdWindowMs,
  type RememberedId,
  type Seen,
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

/** The message ids that one topic remembers, oldest first: each for 5 minutes. */
export class MessageIds implements IdOwner {
  readonly #budget: MessageIdBudget;
  readonly #byId = new Map<string, RememberedId>();
  #oldest: RememberedId | undefined;
  #newest: RememberedId | undefined;

  constructor(budget: MessageIdBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Of the oldest that is remembered. */
  get oldestOffset(): number | undefined {
    return this.#oldest?.offset;
  }

  /**
   * The answer to a publish whose id was seen before, or which its payer can't have remembered. Undefined: it is new,
   * and remembered from now on.
   */
  answer({ messageId, digest, payer, epoch, offset }: Candidate, nowMs: number): AppendOutcome | undefined {
    const seen = this.#byId.get(messageId);
    if (seen !== undefined && nowMs - seen.atMs < messageIdWindowMs) {
      return seen.digest === digest
        ? { ok: true, epoch, offset: seen.offset, duplicate: true }
        : { ok: false, error: new SluiceError('message_id_conflict') };
    }
    const refusal = this.#budget.refusal(payer, messageId, nowMs);
    if (refusal !== undefined) return { ok: false, error: refusal };
    this.#add(payer ?? gatewayPayer, messageId, { offset, digest, atMs: nowMs });
    return undefined;
  }

  /** Takes one that a store has kept, unless it is older than the window. Oldest first. */
  restore(messageId: string, seen: Seen, payer: Payer, nowMs: number): void {
    if (nowMs - seen.atMs >= messageIdWindowMs || this.#byId.has(messageId)) return;
    // The clock may have been set back since.
    this.#add(payer, messageId, { ...seen, atMs: Math.min(seen.atMs, nowMs) });
  }

  /** Forgets what is older than the window. Returns how many live. */
  prune(nowMs: number): number {
    this.#budget.prune(nowMs);
    return this.#byId.size;
  }

  expireOldest(): void {
    const oldest = this.#oldest as RememberedId;
    // The same id may have been used anew before this one was found to be too old.
    if (this.#byId.get(oldest.messageId) === oldest) this.#byId.delete(oldest.messageId);
    this.#oldest = oldest.newerOfTopic;
    if (this.#oldest === undefined) this.#newest = undefined;
  }

  #add(payer: Payer, messageId: string, seen: Seen): void {
    const id = this.#budget.add(payer, messageId, seen, this);
    this.#byId.set(messageId, id);
    if (this.#newest === undefined) this.#oldest = id;
    else this.#newest.newerOfTopic = id;
    this.#newest = id;
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
