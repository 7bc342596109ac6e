import { Expiries } from './expiries.ts';
import type { StoredPublication } from './publication.ts';

export const stateMaxKeys = 10_000;

/** The object, its key and its entry in the map. */
const valueOverheadBytes = 400;

/** What a state counts for a publication, where a ring counts `bytes`: it may be encoded in both codecs. */
export function valueBytesOf(bytes: number): number {
  return valueOverheadBytes + 2 * bytes;
}

/** Who is charged for values. */
export interface ValuePayer {
  stateBytes: number;
}

/** Expiries of values that were replaced or removed are dropped when they outnumber the keys by this many. */
const staleExpiriesMax = 64;

/** The newest publication per key of a state topic, apart from the ring. */
export class State {
  readonly #byKey = new Map<string, StoredPublication>();
  readonly #expiries: Expiries;
  /** By key; undefined: those of no values. */
  #payers: Map<string, ValuePayer> | undefined;
  #bytes = 0;

  constructor(expiries = new Expiries()) {
    this.#expiries = expiries;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the newest value of its key, or, when it says `removed`, drops the key. */
  apply(publication: StoredPublication): void {
    const key = publication.key ?? '';
    this.delete(key);
    if (publication.removed === true) return;
    this.#byKey.set(key, publication.own());
    this.#bytes += valueBytesOf(publication.bytes);
    this.#expires(publication);
  }

  /** Takes the values that have expired at this time (milliseconds since 1970), each once. The caller removes them. */
  takeExpired(nowMs: number): readonly StoredPublication[] {
    const expired: StoredPublication[] = [];
    for (let due = this.#expiries.takeDue(nowMs); due !== undefined; due = this.#expiries.takeDue(nowMs)) {
      const publication = this.#byKey.get(due.key);
      if (publication?.offset === due.offset) expired.push(publication);
    }
    return expired;
  }

  /** An expired value could not be removed: `takeExpired` will return it again if it is still held. */
  expireAgain(publication: StoredPublication): void {
    if (this.#byKey.get(publication.key ?? '') === publication) this.#expires(publication);
  }

  delete(key: string): void {
    const old = this.#byKey.get(key);
    if (old === undefined) return;
    this.#byKey.delete(key);
    const bytes = valueBytesOf(old.bytes);
    this.#bytes -= bytes;
    const payer = this.#payers?.get(key);
    if (payer === undefined) return;
    payer.stateBytes -= bytes;
    this.#payers?.delete(key);
  }

  /** Charges the payer for this value, until it is replaced or removed. */
  charge(key: string, offset: number, payer: ValuePayer): void {
    const value = this.#byKey.get(key);
    if (value?.offset !== offset || this.#payers?.has(key)) return;
    this.#payers ??= new Map();
    this.#payers.set(key, payer);
    payer.stateBytes += valueBytesOf(value.bytes);
  }

  get(key: string): StoredPublication | undefined {
    return this.#byKey.get(key);
  }

  /** Every key's newest publication, the longest unchanged first. */
  values(): IterableIterator<StoredPublication> {
    return this.#byKey.values();
  }

  clear(): void {
    for (const key of this.#payers?.keys() ?? []) this.delete(key);
    this.#byKey.clear();
    this.#expiries.clear();
    this.#bytes = 0;
  }

  #expires({ key = '', offset, ttlMs, expiresAtMs }: StoredPublication): void {
    if (ttlMs === undefined) return;
    this.#expiries.add({ atMs: expiresAtMs, offset, key });
    if (this.#expiries.size > 2 * this.#byKey.size + staleExpiriesMax)
      this.#expiries.retain((expiry) => this.#byKey.get(expiry.key)?.offset === expiry.offset);
  }
}
