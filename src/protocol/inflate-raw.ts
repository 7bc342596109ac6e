/** Inflates deflate streams (RFC 1951), in code that is small enough for pages: fflate's is four times as large. */

/** The order in which a block gives the lengths of the codes for code lengths. */
const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** The symbols that have a code, by its length from 1, in ascending order. */
type Code = readonly (readonly number[])[];

/** The codes of literals and of distances. */
type Codes = readonly [Code, Code];

function fail(): never {
  throw new RangeError();
}

/** 0: a symbol without a code. */
function codeOf(lengths: Uint8Array): Code {
  const code: number[][] = Array.from({ length: 15 }, () => []);
  lengths.forEach((length, symbol) => void code[length - 1]?.push(symbol));
  return code;
}

/** `lengths`: of the codes of all literals, then of all distances. */
function codesOf(lengths: Uint8Array, literals: number): Codes {
  return [codeOf(lengths.slice(0, literals)), codeOf(lengths.slice(literals))];
}

const fixed = codesOf(new Uint8Array(318).fill(8).fill(9, 144, 256).fill(7, 256, 280).fill(5, 288), 288);

/**
 * At most `maxBytes` plain bytes, which `dictionary` precedes. Throws if the stream is not deflate, is cut off, or is
 * longer. Bytes after the stream are ignored.
 */
export function inflateRaw(
  source: Uint8Array,
  maxBytes: number,
  dictionary: Uint8Array = new Uint8Array(),
): Uint8Array {
  const start = dictionary.length;
  const out = new Uint8Array(start + maxBytes);
  out.set(dictionary);
  let written = start;
  /** In bits. */
  let at = 0;

  function bit(): number {
    return ((source[at >> 3] as number) >> (at++ & 7)) & 1;
  }

  function take(count: number): number {
    let bits = 0;
    for (let i = 0; i < count; i++) bits |= bit() << i;
    return bits;
  }

  function symbolOf(code: Code): number {
    let i = 0;
    for (const symbols of code) {
      i = i * 2 + bit();
      if (i < symbols.length) return symbols[i] as number;
      i -= symbols.length;
    }
    fail();
  }

  /** A length or a distance. The steps between them double after each 2^n symbols. */
  function extended(symbol: number, n: number): number {
    const extra = Math.max((symbol >> n) - 1, 0);
    return ((symbol - (extra << n)) << extra) + take(extra);
  }

  function readCodes(): Codes {
    const literals = take(5) + 257;
    const lengths = new Uint8Array(literals + take(5) + 1);
    const codeLengths = new Uint8Array(19);
    for (const symbol of order.slice(0, take(4) + 4)) codeLengths[symbol] = take(3);
    const code = codeOf(codeLengths);
    for (let i = 0; i < lengths.length; ) {
      const symbol = symbolOf(code);
      const length = symbol > 16 ? 0 : symbol > 15 ? (lengths[i - 1] as number) : symbol;
      const end = i + (symbol > 17 ? 11 + take(7) : symbol > 15 ? 3 + take(symbol - 14) : 1);
      lengths.fill(length, i, end);
      i = end;
    }
    return codesOf(lengths, literals);
  }

  function inflate([literals, distances]: Codes): void {
    for (let symbol = symbolOf(literals); symbol !== 256; symbol = symbolOf(literals)) {
      if (symbol < 256) out[written++] = symbol;
      else {
        let length = symbol > 284 ? 258 : 3 + extended(symbol - 257, 2);
        const far = symbolOf(distances);
        let from = written - 1 - extended(far, 1);
        if (symbol > 285 || far > 29 || from < 0) fail();
        // Byte by byte, because the copied bytes may overlap those that they make.
        while (length--) out[written++] = out[from++] as number;
      }
      if (written > out.length) fail();
    }
  }

  for (let isLast = 0; !isLast; ) {
    isLast = bit();
    const type = take(2);
    if (type > 2) fail();
    if (type > 0) inflate(type > 1 ? readCodes() : fixed);
    else {
      // As it is, from the next whole byte: its length, the complement of that, and the bytes.
      at = (at + 7) & ~7;
      let left = take(16);
      at += 16;
      while (left--) out[written++] = take(8);
    }
    if (at > source.length * 8 || written > out.length) fail();
  }
  return out.slice(start, written);
}
