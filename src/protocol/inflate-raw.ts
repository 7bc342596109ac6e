/** RFC 1951: a reader of deflate that is small enough for pages. fflate's is three times as large. */

const noDictionary = new Uint8Array();

/** The order in which the lengths of the codes for lengths come. */
const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Finds the symbol, and the length of its code, by the next bits: `symbol * 16 + length`. */
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
      // Codes come with their first bit first, all other numbers with their last.
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

/**
 * Inflates into `out` and returns the part of it that was written. Throws where the stream is none, is cut off, or is
 * longer than `out`. What follows the stream is ignored.
 */
export function inflateRaw(
  source: Uint8Array,
  out: Uint8Array,
  dictionary: Uint8Array = noDictionary,
): Uint8Array {
  let at = 0;
  let buffer = 0;
  let held = 0;
  let written = 0;

  const drop = (count: number): void => {
    buffer >>>= count;
    held -= count;
    if (held < 0) throw new RangeError('the stream is cut off');
  };
  const fill = (count: number): void => {
    for (; held < count && at < source.length; held += 8) buffer |= (source[at++] as number) << held;
  };
  const take = (count: number): number => {
    fill(count);
    const value = buffer & ((1 << count) - 1);
    drop(count);
    return value;
  };
  const symbol = ({ bits, entries }: Table): number => {
    fill(bits);
    const entry = entries[buffer & ((1 << bits) - 1)] as number;
    if (entry === 0) throw new RangeError('no code');
    drop(entry & 15);
    return entry >> 4;
  };
  const put = (byte: number | undefined): void => {
    if (byte === undefined || written >= out.length) throw new RangeError('out of range');
    out[written++] = byte;
  };

  const stored = (): void => {
    at -= held >> 3;
    buffer = held = 0;
    const length = (source[at] as number) | ((source[at + 1] as number) << 8);
    at += 4;
    if (at > source.length) throw new RangeError('the stream is cut off');
    for (let i = 0; i < length; i++) put(source[at++]);
  };

  const dynamicTables = (): readonly [Table, Table] => {
    const literals = take(5) + 257;
    const total = literals + take(5) + 1;
    const codes = take(4) + 4;
    const codeLengths = new Uint8Array(19);
    for (let i = 0; i < codes; i++) codeLengths[order[i] as number] = take(3);
    const codeTable = tableOf(codeLengths);
    const lengths = new Uint8Array(total);
    for (let i = 0; i < total; ) {
      const code = symbol(codeTable);
      if (code < 16) lengths[i++] = code;
      else {
        const value = code === 16 ? (lengths[i - 1] as number) : 0;
        const repeats = code === 16 ? 3 + take(2) : code === 17 ? 3 + take(3) : 11 + take(7);
        lengths.fill(value, i, i + repeats);
        i += repeats;
      }
    }
    return [tableOf(lengths.subarray(0, literals)), tableOf(lengths.subarray(literals))];
  };

  const compressed = ([literals, distances]: readonly [Table, Table]): void => {
    for (;;) {
      const code = symbol(literals);
      if (code === 256) return;
      if (code < 256) {
        put(code);
        continue;
      }
      const step = code - 257;
      const extra = step < 8 ? 0 : (step - 4) >> 2;
      const length = step === 28 ? 258 : 3 + (step < 8 ? step : (4 + (step & 3)) << extra) + take(extra % 6);
      const far = symbol(distances);
      const farExtra = far < 4 ? 0 : (far - 2) >> 1;
      const distance = 1 + (far < 4 ? far : (2 + (far & 1)) << farExtra) + take(farExtra);
      if (step > 28 || far > 29) throw new RangeError('no code');
      for (let i = 0; i < length; i++) {
        const from = written - distance;
        put(from < 0 ? dictionary[dictionary.length + from] : out[from]);
      }
    }
  };

  let last = 0;
  while (!last) {
    last = take(1);
    const type = take(2);
    if (type === 0) stored();
    else if (type === 1) compressed(fixedTables());
    else if (type === 2) compressed(dynamicTables());
    else throw new RangeError('no type of block');
  }
  return out.subarray(0, written);
}
