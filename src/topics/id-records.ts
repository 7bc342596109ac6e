/** What is kept of a message id. */
export interface IdRecord {
  /** `idKey` of the id and its topic; undefined: it is only charged, and not looked up. */
  readonly key: Uint32Array | undefined;
  /** Two words of the digest of its publication. */
  readonly digest: Uint32Array;
  readonly offset: number;
  readonly atMs: number;
  /** Numbers that the caller gave its account and its owner. */
  readonly account: number;
  readonly owner: number;
}

const keyWords = 4;
const digestWords = 2;
const recordsPerChunk = 1024;

/** Records that follow each other. */
class Chunk {
  readonly keys = new Uint32Array(keyWords * recordsPerChunk);
  readonly digests = new Uint32Array(digestWords * recordsPerChunk);
  readonly offsets = new Float64Array(recordsPerChunk);
  readonly atMs = new Float64Array(recordsPerChunk);
  readonly accounts = new Uint32Array(recordsPerChunk);
  readonly owners = new Uint32Array(recordsPerChunk);
  /** How many records further the next one of the same account is; 0: there is none. */
  readonly strides = new Uint32Array(recordsPerChunk);
  readonly flags = new Uint8Array(recordsPerChunk);
}

const hasKey = 1;
const cancelled = 2;

const tableMinSize = 1024;
/** The table grows when more than three of four places are taken, and shrinks when it is eight times too large. */
const tableFill = 3 / 4;
/** An entry is the record's number modulo this, plus 1. There are always fewer records. */
const modulus = 2 ** 32 - 1;

/**
 * Records of message ids, removed in the order in which they are added. They are numbers in flat arrays: objects in a
 * map took five times as much memory, and the garbage collector's time. A record is known by its number, which is never
 * used again.
 */
export class IdRecords {
  readonly #chunks: Chunk[] = [];
  /** The number of the first record of the first chunk. */
  #base = 0;
  /** The oldest record, and the one that comes next. */
  #first = 0;
  #next = 0;
  /** Open addressing with linear probing, by the first word of the key. */
  #table = new Uint32Array(tableMinSize);
  #entries = 0;

  get size(): number {
    return this.#next - this.#first;
  }

  /** The oldest record; undefined: there is none. */
  get oldest(): number | undefined {
    return this.size === 0 ? undefined : this.#first;
  }

  /** Returns its number. With a key it is what `find` returns from now on. */
  add({ key, digest, offset, atMs, account, owner }: IdRecord): number {
    const record = this.#next++;
    if (record - this.#base === this.#chunks.length * recordsPerChunk) this.#chunks.push(new Chunk());
    const { chunk, at } = this.#at(record);
    chunk.digests.set(digest, at * digestWords);
    chunk.offsets[at] = offset;
    chunk.atMs[at] = atMs;
    chunk.accounts[at] = account;
    chunk.owners[at] = owner;
    chunk.strides[at] = 0;
    chunk.flags[at] = key === undefined ? 0 : hasKey;
    if (key !== undefined) {
      chunk.keys.set(key, at * keyWords);
      this.#index(key, record);
    }
    return record;
  }

  find(key: Uint32Array): number | undefined {
    const entry = this.#table[this.#placeOf(key)] as number;
    return entry === 0 ? undefined : this.#recordOf(entry);
  }

  has(record: number): boolean {
    return record >= this.#first && record < this.#next;
  }

  offsetOf(record: number): number {
    const { chunk, at } = this.#at(record);
    return chunk.offsets[at] as number;
  }

  atMsOf(record: number): number {
    const { chunk, at } = this.#at(record);
    return chunk.atMs[at] as number;
  }

  accountOf(record: number): number {
    const { chunk, at } = this.#at(record);
    return chunk.accounts[at] as number;
  }

  ownerOf(record: number): number {
    const { chunk, at } = this.#at(record);
    return chunk.owners[at] as number;
  }

  hasDigest(record: number, digest: Uint32Array): boolean {
    const { chunk, at } = this.#at(record);
    return areEqual(chunk.digests, at * digestWords, digest);
  }

  /** The next record of the same account; undefined: there is none. */
  nextOfAccount(record: number): number | undefined {
    const { chunk, at } = this.#at(record);
    const stride = chunk.strides[at] as number;
    return stride === 0 ? undefined : record + stride;
  }

  linkOfAccount(record: number, next: number): void {
    const { chunk, at } = this.#at(record);
    chunk.strides[at] = next - record;
  }

  isCancelled(record: number): boolean {
    const { chunk, at } = this.#at(record);
    return ((chunk.flags[at] as number) & cancelled) !== 0;
  }

  cancel(record: number): void {
    const { chunk, at } = this.#at(record);
    chunk.flags[at] = (chunk.flags[at] as number) | cancelled;
  }

  removeOldest(): void {
    const record = this.#first;
    const { chunk, at } = this.#at(record);
    if (((chunk.flags[at] as number) & hasKey) !== 0) {
      this.#unindex(chunk.keys.subarray(at * keyWords, (at + 1) * keyWords), record);
    }
    this.#first++;
    if (this.#first - this.#base < recordsPerChunk) return;
    this.#chunks.shift();
    this.#base += recordsPerChunk;
  }

  #at(record: number): { chunk: Chunk; at: number } {
    const place = record - this.#base;
    return { chunk: this.#chunks[Math.floor(place / recordsPerChunk)] as Chunk, at: place % recordsPerChunk };
  }

  // ---- the table

  #recordOf(entry: number): number {
    return this.#first + ((entry - 1 - (this.#first % modulus) + modulus) % modulus);
  }

  /** The place of the entry with this key, or the free place where it belongs. */
  #placeOf(key: Uint32Array): number {
    const mask = this.#table.length - 1;
    let place = (key[0] as number) & mask;
    for (let entry = this.#table[place] as number; entry !== 0; entry = this.#table[place] as number) {
      const { chunk, at } = this.#at(this.#recordOf(entry));
      if (areEqual(chunk.keys, at * keyWords, key)) break;
      place = (place + 1) & mask;
    }
    return place;
  }

  #index(key: Uint32Array, record: number): void {
    const place = this.#placeOf(key);
    const isNew = this.#table[place] === 0;
    this.#table[place] = (record % modulus) + 1;
    if (!isNew) return;
    this.#entries++;
    if (this.#entries > this.#table.length * tableFill) this.#resize(this.#table.length * 2);
  }

  /** Unless the same key was added again since. */
  #unindex(key: Uint32Array, record: number): void {
    const place = this.#placeOf(key);
    if (this.#table[place] !== (record % modulus) + 1) return;
    this.#close(place);
    this.#entries--;
    const { length } = this.#table;
    if (length > tableMinSize && this.#entries * 8 < length) this.#resize(length / 2);
  }

  /** Empties a place and moves back entries that had collided with it. */
  #close(hole: number): void {
    const mask = this.#table.length - 1;
    let empty = hole;
    for (let place = (hole + 1) & mask; this.#table[place] !== 0; place = (place + 1) & mask) {
      const entry = this.#table[place] as number;
      const home = this.#homeOf(entry) & mask;
      if (((place - home) & mask) < ((place - empty) & mask)) continue;
      this.#table[empty] = entry;
      empty = place;
    }
    this.#table[empty] = 0;
  }

  #homeOf(entry: number): number {
    const { chunk, at } = this.#at(this.#recordOf(entry));
    return chunk.keys[at * keyWords] as number;
  }

  #resize(size: number): void {
    const entries = this.#table.filter((entry) => entry !== 0);
    this.#table = new Uint32Array(size);
    for (const entry of entries) {
      let place = this.#homeOf(entry) & (size - 1);
      while (this.#table[place] !== 0) place = (place + 1) & (size - 1);
      this.#table[place] = entry;
    }
  }
}

function areEqual(words: Uint32Array, start: number, wanted: Uint32Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (words[start + i] !== wanted[i]) return false;
  return true;
}
