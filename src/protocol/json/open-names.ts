import { NameTable } from './name-table.ts';

/** Above this many members an object's names go into a table; below, comparing them pairwise is quicker. */
const pairwiseNames = 32;
/** Digest, start and end. */
const numbersOfName = 3;

/**
 * The names of the objects that are open, to find one that occurs twice. `private` rather than `#`: see `JsonScanner`.
 */
export class OpenNames {
  /** The number of entries. An object notes it where it begins, and sets it back where it ends. */
  top = 0;
  private readonly bytes: Uint8Array;
  /** A stack of `top` numbers. */
  private readonly names: number[] = [];
  /** One for each depth, used again: a text may have a million small objects. */
  private tables: (NameTable | undefined)[] | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Whether the object that began at `mark` has too many names to compare them. */
  isMany(mark: number): boolean {
    return this.top - mark >= pairwiseNames * numbersOfName;
  }

  /** Notes the name, which has no escapes. False: the object that began at `mark` has it already. */
  add(mark: number, start: number, end: number): boolean {
    const { names, top } = this;
    const digest = this.digest(start, end);
    for (let i = mark; i < top; i += numbersOfName) {
      if (names[i] === digest && this.equal(names[i + 1]!, names[i + 2]!, start, end)) return false;
    }
    names[top] = digest;
    names[top + 1] = start;
    names[top + 2] = end;
    this.top = top + numbersOfName;
    return true;
  }

  /** The names so far of the object that began at `mark`. */
  tableOf(mark: number, depth: number): NameTable {
    this.tables ??= [];
    const table = this.tables[depth] ?? new NameTable(this.bytes);
    this.tables[depth] = table;
    table.clear();
    for (let i = mark; i < this.top; i += numbersOfName) table.add(this.names[i + 1]!, this.names[i + 2]!);
    return table;
  }

  /** A digest of a name: equal names have equal digests, most others do not. */
  private digest(start: number, end: number): number {
    const length = end - start;
    if (length === 0) return 0;
    const { bytes } = this;
    const middle = bytes[start + (length >> 1)]!;
    return (length << 24) ^ (bytes[start]! << 16) ^ (middle << 8) ^ bytes[end - 1]!;
  }

  private equal(aStart: number, aEnd: number, bStart: number, bEnd: number): boolean {
    if (aEnd - aStart !== bEnd - bStart) return false;
    for (let a = aStart, b = bStart; a < aEnd; a++, b++) {
      if (this.bytes[a] !== this.bytes[b]) return false;
    }
    return true;
  }
}
