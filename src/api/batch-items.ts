import { JsonScanner, type JsonText, type ScanFault } from '../protocol/json/scanner.ts';

/** Takes an item of a batch: what scanning the bytes [start, end) of the body told. Its return value stands for the item. */
type TakeItem<T> = (text: JsonText | ScanFault, start: number, end: number) => T;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * The items of a JSON array. Whether an item is JSON is for who takes it, so that one bad item doesn't take the others
 * with it: where it ends is found by brackets and quotes then. Undefined: the text is no array, or it can't be told where
 * its items end; items before that place were taken all the same. Behind `most` items nothing is looked at.
 */
export function arrayItems<T>(body: Uint8Array, most: number, take: TakeItem<T>): readonly T[] | undefined {
  const first = skipSpace(body, 0);
  if (body[first] !== openBracket) return undefined;
  const scanner = new JsonScanner(body);
  const items: T[] = [];
  for (let start = first + 1; ; ) {
    let text: JsonText | ScanFault = scanner.scanPrefix(start);
    let end = text.ok ? skipSpace(body, text.end) : undefined;
    if (end === undefined || (body[end] !== comma && body[end] !== closeBracket)) {
      end = endOfItem(body, start);
      if (end === undefined) return undefined;
      text = scanner.scan(start, end);
    }
    if (body[end] === comma) {
      items.push(take(text, start, end));
      if (items.length >= most) return items;
      start = end + 1;
      continue;
    }
    if (skipSpace(body, end + 1) !== body.length) return undefined;
    if (items.length > 0 || !isBlank(body, start, end)) items.push(take(text, start, end));
    return items;
  }
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
export function lines<T>(body: Uint8Array, most: number, take: TakeItem<T>): readonly T[] {
  const scanner = new JsonScanner(body);
  const taken: T[] = [];
  // Blank lines are passed over in one go: a body may have millions.
  for (let start = skipSpace(body, 0); start < body.length && taken.length < most; ) {
    const newline = body.indexOf(0x0a, start);
    const end = newline === -1 ? body.length : newline;
    taken.push(take(scanner.scan(start, end), start, end));
    start = skipSpace(body, end);
  }
  return taken;
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
