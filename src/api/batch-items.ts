import { SluiceError } from '../errors.ts';
import type { JsonScanner, JsonText, ScanFault } from '../protocol/json/scanner.ts';

/** Turns the scan of one item, the bytes [start, end) of the body, into what the caller keeps of it. */
type TakeItem<T> = (text: JsonText | ScanFault, start: number, end: number) => T;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** The items of a batch, read piece by piece: at most `most` of them. */
export abstract class BatchItems<T> {
  protected readonly body: Uint8Array;
  protected readonly scanner: JsonScanner;
  readonly #most: number;
  readonly #take: TakeItem<T>;
  readonly #items: T[] = [];
  #position: number;

  constructor(scanner: JsonScanner, body: Uint8Array, most: number, take: TakeItem<T>) {
    this.scanner = scanner;
    this.body = body;
    this.#most = most;
    this.#take = take;
    this.#position = this.begin();
  }

  /** The items that were read so far. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Where the next item begins. */
  get position(): number {
    return this.#position;
  }

  /**
   * Reads the next item, and those after it that begin before this position, at most `count`. Returns true when all are
   * read, or as many as are allowed. Throws `invalid_json` where the items of an array can't be separated.
   */
  readUntil(position: number, count = this.#most): boolean {
    const end = this.#items.length + count;
    do {
      const next = this.readOne(this.#position);
      if (next === undefined || this.#items.length >= this.#most) return true;
      this.#position = next;
    } while (this.#position < position && this.#items.length < end);
    return false;
  }

  protected add(text: JsonText | ScanFault, start: number, end: number): void {
    this.#items.push(this.#take(text, start, end));
  }

  /** Where the first item begins. */
  protected abstract begin(): number;

  /** Reads the item that begins here, if there is one. Returns where the next begins; undefined: there is none. */
  protected abstract readOne(start: number): number | undefined;
}

/**
 * The items of a JSON array. `take` decides whether an item is JSON. The end of a bad item is found by brackets and
 * quotes alone, so that it does not harm the others. Reading ends after `most` items.
 */
export class ArrayItems<T> extends BatchItems<T> {
  protected override begin(): number {
    const first = skipSpace(this.body, 0);
    if (this.body[first] !== openBracket) throw notAnArray();
    return first + 1;
  }

  protected override readOne(start: number): number | undefined {
    const { body, scanner } = this;
    let text: JsonText | ScanFault = scanner.scanPrefix(start);
    let end = text.ok ? skipSpace(body, text.end) : undefined;
    if (end === undefined || (body[end] !== comma && body[end] !== closeBracket)) {
      end = endOfItem(body, start);
      if (end === undefined) throw notAnArray();
      text = scanner.scan(start, end);
    }
    if (body[end] === comma) {
      this.add(text, start, end);
      return end + 1;
    }
    if (skipSpace(body, end + 1) !== body.length) throw notAnArray();
    if (this.items.length > 0 || !isBlank(body, start, end)) this.add(text, start, end);
    return undefined;
  }
}

function notAnArray(): SluiceError {
  return new SluiceError('invalid_json', 'the body is not a JSON array');
}

/** Where the comma or the end of the array follows, by brackets and quotes alone. */
function endOfItem(body: Uint8Array, start: number): number | undefined {
  let depth = 0;
  for (let i = start; i < body.length; i++) {
    const c = body[i];
    if (c === quote) i = endOfString(body, i);
    else if (c === openBracket || c === openBrace) depth++;
    else if (c === comma && depth === 0) return i;
    else if (c === closeBracket || c === closeBrace) {
      if (depth === 0) return c === closeBracket ? i : undefined;
      depth--;
    }
  }
  return undefined;
}

/** The lines of an NDJSON text that aren't blank: the first `most` of them. */
export class LineItems<T> extends BatchItems<T> {
  protected override begin(): number {
    return skipSpace(this.body, 0);
  }

  protected override readOne(start: number): number | undefined {
    const { body, scanner } = this;
    if (start >= body.length) return undefined;
    const newline = body.indexOf(0x0a, start);
    const end = newline === -1 ? body.length : newline;
    this.add(scanner.scan(start, end), start, end);
    // Blank lines are skipped in one go: a body may have millions.
    const next = skipSpace(body, end);
    return next < body.length ? next : undefined;
  }
}

/** The position of the closing quote, or the end of the text. */
function endOfString(text: Uint8Array, open: number): number {
  for (let i = open + 1; i < text.length; i++) {
    if (text[i] === backslash) i++;
    else if (text[i] === quote) return i;
  }
  return text.length;
}

function skipSpace(text: Uint8Array, from: number): number {
  let i = from;
  while (i < text.length && (text[i] === 0x20 || text[i] === 0x09 || text[i] === 0x0a || text[i] === 0x0d))
    i++;
  return i;
}

function isBlank(text: Uint8Array, start: number, end: number): boolean {
  return skipSpace(text, start) >= end;
}
