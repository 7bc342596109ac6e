/** Where a name is this far from its slot, the names were chosen to collide: a set of strings takes over. */
const probesMax = 128;
const firstSlots = 128;
/** A larger table is not kept for the next object. */
const keptSlots = 1024;

const backslash = 0x5c;
const lowerU = 0x75;
/** Another one in each process, so that names that collide in one do not in another. */
const seed = (Math.random() * 0x1_0000_0000) | 0;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Hashes the name in the bytes [start, end). Equal texts have equal hashes. */
type Hash = (bytes: Uint8Array, start: number, end: number) => number;

/**
 * The member names of one JSON object, to find one that occurs twice. It compares the bytes of names by a hash: to
 * decode each name and keep it in a set took 2 us a name, so that a body of 8 MiB stopped the event loop for 1.5 s.
 */
export class NameTable {
  readonly #bytes: Uint8Array;
  readonly #hash: Hash;
  /** Hash, start and end of each name. */
  #names = new Int32Array((3 * firstSlots) / 2);
  /** The number of a name, from 1; 0: free. */
  #slots = new Int32Array(firstSlots);
  #count = 0;
  /** Takes over from the table. */
  #texts: Set<string> | undefined;

  /** `bytes` hold the names. */
  constructor(bytes: Uint8Array, hash: Hash = hashOf) {
    this.#bytes = bytes;
    this.#hash = hash;
  }

  /** Empties it, for another object. */
  clear(): void {
    if (this.#slots.length > keptSlots) {
      this.#names = new Int32Array((3 * firstSlots) / 2);
      this.#slots = new Int32Array(firstSlots);
    } else if (this.#count > 0) this.#slots.fill(0);
    this.#count = 0;
    this.#texts = undefined;
  }

  /** Adds the name of the bytes [start, end). False: the table has it, perhaps with other escapes. */
  add(start: number, end: number): boolean {
    if (this.#texts !== undefined) return this.#addText(this.#texts, start, end);
    if (2 * this.#count === this.#slots.length) this.#grow();
    const hash = this.#hash(this.#bytes, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let probes = 0; this.#slots[slot] !== 0; probes++) {
      if (probes === probesMax) return this.#addText(this.#useTexts(), start, end);
      const at = 3 * ((this.#slots[slot] as number) - 1);
      if (this.#names[at] === hash && this.#isNamed(at, start, end)) return false;
      slot = (slot + 1) & mask;
    }
    const at = 3 * this.#count;
    this.#names[at] = hash;
    this.#names[at + 1] = start;
    this.#names[at + 2] = end;
    this.#slots[slot] = ++this.#count;
    return true;
  }

  #addText(texts: Set<string>, start: number, end: number): boolean {
    const { size } = texts;
    return texts.add(nameText(this.#bytes, start, end)).size > size;
  }

  #useTexts(): Set<string> {
    this.#texts = new Set();
    for (let at = 0; at < 3 * this.#count; at += 3)
      this.#addText(this.#texts, this.#names[at + 1] as number, this.#names[at + 2] as number);
    return this.#texts;
  }

  #isNamed(at: number, start: number, end: number): boolean {
    const otherStart = this.#names[at + 1] as number;
    const otherEnd = this.#names[at + 2] as number;
    if (areEqual(this.#bytes, otherStart, otherEnd, start, end)) return true;
    return nameText(this.#bytes, otherStart, otherEnd) === nameText(this.#bytes, start, end);
  }

  #grow(): void {
    const names = new Int32Array(2 * this.#names.length);
    names.set(this.#names);
    this.#names = names;
    this.#slots = new Int32Array(2 * this.#slots.length);
    const mask = this.#slots.length - 1;
    for (let i = 0; i < this.#count; i++) {
      let slot = (names[3 * i] as number) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = i + 1;
    }
  }
}

/** The text of a name, escapes replaced. */
export function nameText(bytes: Uint8Array, start: number, end: number): string {
  const text = decoder.decode(bytes.subarray(start, end));
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

function areEqual(
  bytes: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let at = start, other = otherStart; at < end; at++, other++)
    if (bytes[at] !== bytes[other]) return false;
  return true;
}

/** A hash of the UTF-8 of the name's text: the same with escapes and without. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = seed;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte !== backslash) {
      hash = mixed(hash, byte);
      continue;
    }
    let code = escapedUnit(bytes, at);
    at += bytes[at + 1] === lowerU ? 5 : 1;
    if ((code & 0xfc00) === 0xd800 && bytes[at + 1] === backslash && bytes[at + 2] === lowerU) {
      const low = escapedUnit(bytes, at + 1);
      if ((low & 0xfc00) === 0xdc00) {
        code = 0x1_0000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        at += 6;
      }
    }
    hash = mixedCharacter(hash, code);
  }
  // The low bits, which choose the slot, are to depend on all others.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

function mixed(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x0100_0193);
}

/** The character as UTF-8; half of a pair as if it were a character. */
function mixedCharacter(hash: number, code: number): number {
  if (code < 0x80) return mixed(hash, code);
  const last = 0x80 | (code & 0x3f);
  if (code < 0x800) return mixed(mixed(hash, 0xc0 | (code >> 6)), last);
  const third = 0x80 | ((code >> 6) & 0x3f);
  if (code < 0x1_0000) return mixed(mixed(mixed(hash, 0xe0 | (code >> 12)), third), last);
  const second = 0x80 | ((code >> 12) & 0x3f);
  return mixed(mixed(mixed(mixed(hash, 0xf0 | (code >> 18)), second), third), last);
}

/** The value of the valid escape at `at`, as a UTF-16 unit. */
function escapedUnit(bytes: Uint8Array, at: number): number {
  switch (bytes[at + 1]) {
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    case lowerU:
      return (
        (hexDigit(bytes[at + 2] as number) << 12) |
        (hexDigit(bytes[at + 3] as number) << 8) |
        (hexDigit(bytes[at + 4] as number) << 4) |
        hexDigit(bytes[at + 5] as number)
      );
    default:
      return bytes[at + 1] as number;
  }
}

function hexDigit(character: number): number {
  return character <= 0x39 ? character - 0x30 : (character | 0x20) - 0x57;
}
