/** Inflates deflate streams (RFC 1951), in code that is small enough for pages: fflate's is three times as large. */

const noDictionary = new Uint8Array();

/** The order in which a block gives the lengths of the codes for code lengths. */
const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Maps the next bits to a symbol and the length of its code: `symbol * 16 + length`. */
interface Table {
  readonly bits: number;
  readonly entries: Uint16Array;
}

function tableOf(lengths: ArrayLike<number>): Table {
  let bits = 1;
  for (let i = 0; i < lengths.length; i++) bits = Math.max(bits, lengths[i] as number);
  const entries = new Uint16Array(1 << bits);
  let code = 0;
  for (let length = 1; length <= bits; length++, code <<= 1) {
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      // Codes begin with their most significant bit, all other numbers with their least significant one.
      let reversed = 0;
      for (let i = 0; i < length; i++) reversed |= ((code >> i) & 1) << (length - 1 - i);
      code++;
      for (let i = reversed; i < entries.length; i += 1 << length) entries[i] = symbol * 16 + length;
    }
  }
  return { bits, entries };
}

let fixed: readonly [Table, Table] | undefined;

function fixedTables(): readonly [Table, Table] {
  if (fixed) return fixed;
  const literals = new Uint8Array(288).fill(8).fill(9, 144, 256).fill(7, 256, 280);
  fixed = [tableOf(literals), tableOf(new Uint8Array(30).fill(5))];
  return fixed;
}

const cutOff = 'the stream is cut off';

/** Reads a stream of deflate bit by bit. Throws at its end. */
class Bits {
  #at = 0;
  #buffer = 0;
  #held = 0;
  readonly #source: Uint8Array;

  constructor(source: Uint8Array) {
    this.#source = source;
  }

  take(count: number): number {
    this.#fill(count);
    const value = this.#buffer & ((1 << count) - 1);
    this.#drop(count);
    return value;
  }

  symbol({ bits, entries }: Table): number {
    this.#fill(bits);
    const entry = entries[this.#buffer & ((1 << bits) - 1)] as number;
    if (entry === 0) throw new RangeError('no code');
    this.#drop(entry & 15);
    return entry >> 4;
  }

  /** The bytes of a block that is not compressed: its length, the complement of that, and the bytes. */
  stored(): Uint8Array {
    const source = this.#source;
    const start = this.#at - (this.#held >> 3) + 4;
    this.#buffer = this.#held = 0;
    this.#at = start + ((source[start - 4] as number) | ((source[start - 3] as number) << 8));
    if (start > source.length || this.#at > source.length) throw new RangeError(cutOff);
    return source.subarray(start, this.#at);
  }

  #fill(count: number): void {
    for (; this.#held < count && this.#at < this.#source.length; this.#held += 8)
      this.#buffer |= (this.#source[this.#at++] as number) << this.#held;
  }

  #drop(count: number): void {
    this.#buffer >>>= count;
    this.#held -= count;
    if (this.#held < 0) throw new RangeError(cutOff);
  }
}

/** The plain bytes, which copies refer back to. The dictionary precedes them. Throws where a byte is out of range. */
class Plain {
  #length = 0;
  readonly #out: Uint8Array;
  readonly #dictionary: Uint8Array;

  constructor(out: Uint8Array, dictionary: Uint8Array) {
    this.#out = out;
    this.#dictionary = dictionary;
  }

  get bytes(): Uint8Array {
    return this.#out.subarray(0, this.#length);
  }

  put(byte: number | undefined): void {
    if (byte === undefined || this.#length >= this.#out.length) throw new RangeError('out of range');
    this.#out[this.#length++] = byte;
  }

  /** Byte by byte, because the copied bytes may overlap those that they make. */
  copy(length: number, distance: number): void {
    for (let i = 0; i < length; i++) {
      const from = this.#length - distance;
      this.put(from < 0 ? this.#dictionary[this.#dictionary.length + from] : this.#out[from]);
    }
  }
}

/** The tables of literals and of distances, which a block brings. */
function readTables(bits: Bits): readonly [Table, Table] {
  const literals = bits.take(5) + 257;
  const total = literals + bits.take(5) + 1;
  const codes = bits.take(4) + 4;
  const codeLengths = new Uint8Array(19);
  for (let i = 0; i < codes; i++) codeLengths[order[i] as number] = bits.take(3);
  const codeTable = tableOf(codeLengths);
  const lengths = new Uint8Array(total);
  for (let i = 0; i < total; ) {
    const code = bits.symbol(codeTable);
    if (code < 16) lengths[i++] = code;
    else {
      const value = code === 16 ? (lengths[i - 1] as number) : 0;
      const repeats = code === 16 ? 3 + bits.take(2) : code === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
      lengths.fill(value, i, i + repeats);
      i += repeats;
    }
  }
  return [tableOf(lengths.subarray(0, literals)), tableOf(lengths.subarray(literals))];
}

function inflateBlock(bits: Bits, [literals, distances]: readonly [Table, Table], plain: Plain): void {
  for (;;) {
    const code = bits.symbol(literals);
    if (code === 256) return;
    if (code < 256) {
      plain.put(code);
      continue;
    }
    const step = code - 257;
    const extra = step < 8 ? 0 : (step - 4) >> 2;
    const length =
      step === 28 ? 258 : 3 + (step < 8 ? step : (4 + (step & 3)) << extra) + bits.take(extra % 6);
    const far = bits.symbol(distances);
    const farExtra = far < 4 ? 0 : (far - 2) >> 1;
    const distance = 1 + (far < 4 ? far : (2 + (far & 1)) << farExtra) + bits.take(farExtra);
    if (step > 28 || far > 29) throw new RangeError('no code');
    plain.copy(length, distance);
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
  const bits = new Bits(source);
  const plain = new Plain(out, dictionary);
  for (let isLast = 0; !isLast; ) {
    isLast = bits.take(1);
    const type = bits.take(2);
    if (type === 0) for (const byte of bits.stored()) plain.put(byte);
    else if (type === 1) inflateBlock(bits, fixedTables(), plain);
    else if (type === 2) inflateBlock(bits, readTables(bits), plain);
    else throw new RangeError('no such type of block');
  }
  return plain.bytes;
}
