/** Inflates deflate streams (RFC 1951), in code that is small enough for pages: fflate's is three times as large. */

const noDictionary = new Uint8Array();

/** The order in which a block gives the lengths of the codes for code lengths. */
const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Maps the next bits, 2^n values, to a symbol and the length of its code: `symbol * 16 + length`. */
type Table = Uint16Array;

function fail(): never {
  throw new RangeError();
}

function tableOf(lengths: Uint8Array): Table {
  let bits = 1;
  for (const length of lengths) bits = Math.max(bits, length);
  const table = new Uint16Array(1 << bits);
  let code = 0;
  for (let length = 1; length <= bits; length++, code <<= 1) {
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      // Codes begin with their most significant bit, all other numbers with their least significant one.
      let reversed = 0;
      for (let i = 0; i < length; i++) reversed |= ((code >> i) & 1) << (length - 1 - i);
      code++;
      for (let i = reversed; i < table.length; i += 1 << length) table[i] = symbol * 16 + length;
    }
  }
  return table;
}

let fixed: readonly [Table, Table] | undefined;

function fixedTables(): readonly [Table, Table] {
  fixed ??= [
    tableOf(new Uint8Array(288).fill(8).fill(9, 144, 256).fill(7, 256, 280)),
    tableOf(new Uint8Array(30).fill(5)),
  ];
  return fixed;
}

/** Reads a stream of deflate bit by bit, and writes the plain bytes. Throws where either is out of range. */
class Inflater {
  #at = 0;
  #buffer = 0;
  #held = 0;
  #written = 0;
  readonly #source: Uint8Array;
  readonly #out: Uint8Array;
  /** Precedes the plain bytes. */
  readonly #dictionary: Uint8Array;

  constructor(source: Uint8Array, out: Uint8Array, dictionary: Uint8Array) {
    this.#source = source;
    this.#out = out;
    this.#dictionary = dictionary;
  }

  get plain(): Uint8Array {
    return this.#out.subarray(0, this.#written);
  }

  /** Returns whether it was the last block. */
  block(): number {
    const isLast = this.#take(1);
    const type = this.#take(2);
    if (type === 0) this.#copyStored();
    else if (type < 3) this.#inflate(type === 1 ? fixedTables() : this.#readTables());
    else fail();
    return isLast;
  }

  #inflate([literals, distances]: readonly [Table, Table]): void {
    for (let code = this.#symbol(literals); code !== 256; code = this.#symbol(literals)) {
      if (code < 256) {
        this.#put(code);
        continue;
      }
      const step = code - 257;
      const extra = step < 8 ? 0 : (step - 4) >> 2;
      const length =
        step === 28 ? 258 : 3 + (step < 8 ? step : (4 + (step & 3)) << extra) + this.#take(extra % 6);
      const far = this.#symbol(distances);
      const farExtra = far < 4 ? 0 : (far - 2) >> 1;
      const distance = 1 + (far < 4 ? far : (2 + (far & 1)) << farExtra) + this.#take(farExtra);
      if (step > 28 || far > 29) fail();
      // Byte by byte, because the copied bytes may overlap those that they make.
      for (let i = 0; i < length; i++) {
        const from = this.#written - distance;
        this.#put(from < 0 ? this.#dictionary[this.#dictionary.length + from] : this.#out[from]);
      }
    }
  }

  #put(byte: number | undefined): void {
    if (byte === undefined || this.#written >= this.#out.length) fail();
    this.#out[this.#written++] = byte;
  }

  /** A block that is not compressed: its length, the complement of that, and the bytes. */
  #copyStored(): void {
    const source = this.#source;
    const start = this.#at - (this.#held >> 3) + 4;
    this.#buffer = this.#held = 0;
    this.#at = start + ((source[start - 4] as number) | ((source[start - 3] as number) << 8));
    if (this.#at > source.length) fail();
    for (const byte of source.subarray(start, this.#at)) this.#put(byte);
  }

  /** The tables of literals and of distances, which a block brings. */
  #readTables(): readonly [Table, Table] {
    const literals = this.#take(5) + 257;
    const lengths = new Uint8Array(literals + this.#take(5) + 1);
    const codes = this.#take(4) + 4;
    const codeLengths = new Uint8Array(19);
    for (let i = 0; i < codes; i++) codeLengths[order[i] as number] = this.#take(3);
    const codeTable = tableOf(codeLengths);
    for (let i = 0; i < lengths.length; ) {
      const code = this.#symbol(codeTable);
      if (code < 16) lengths[i++] = code;
      else {
        const value = code === 16 ? (lengths[i - 1] as number) : 0;
        const repeats =
          code === 16 ? 3 + this.#take(2) : code === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
        lengths.fill(value, i, i + repeats);
        i += repeats;
      }
    }
    return [tableOf(lengths.subarray(0, literals)), tableOf(lengths.subarray(literals))];
  }

  #symbol(table: Table): number {
    const entry = table[this.#peek() & (table.length - 1)] || fail();
    this.#drop(entry & 15);
    return entry >> 4;
  }

  #take(count: number): number {
    const value = this.#peek() & ((1 << count) - 1);
    this.#drop(count);
    return value;
  }

  /** At least 15 bits, or all that are left. */
  #peek(): number {
    for (; this.#held < 15 && this.#at < this.#source.length; this.#held += 8)
      this.#buffer |= (this.#source[this.#at++] as number) << this.#held;
    return this.#buffer;
  }

  #drop(count: number): void {
    this.#buffer >>>= count;
    this.#held -= count;
    if (this.#held < 0) fail();
  }
}

/**
 * Inflates into `out` and returns the part of it that was written. Throws if the stream is not deflate, is cut off, or
 * is longer than `out`. Bytes after the stream are ignored.
 */
export function inflateRaw(
  source: Uint8Array,
  out: Uint8Array,
  dictionary: Uint8Array = noDictionary,
): Uint8Array {
  const inflater = new Inflater(source, out, dictionary);
  while (!inflater.block());
  return inflater.plain;
}
