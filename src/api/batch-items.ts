import { type JsonText, type ScanFault, scanJson, scanJsonAt } from '../protocol/json-scanner.ts';

/** One item of a batch: the bytes [start, end) of the body, and what scanning them told. */
export interface BatchItem {
  readonly start: number;
  readonly end: number;
  readonly text: JsonText | ScanFault;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * The items of a JSON array. Whether an item is JSON is for who reads it, so that one bad item doesn't take the others
 * with it: where it ends is found by brackets and quotes then. Undefined: the text is no array, or it can't be told where
 * its items end.
 */
export function arrayItems(body: Uint8Array): readonly BatchItem[] | undefined {
  const first = skipSpace(body, 0);
  if (body[first] !== openBracket) return undefined;
  const items: BatchItem[] = [];
  for (let start = first + 1; ; ) {
    const item = itemAt(body, start);
    if (item === undefined) return undefined;
    const end = skipSpace(body, item.end);
    if (body[end] === closeBracket) {
      if (skipSpace(body, end + 1) !== body.length) return undefined;
      return items.length === 0 && isBlank(body, start, end) ? [] : [...items, item];
    }
    items.push(item);
    start = end + 1;
  }
}

/** The item and, behind it, a comma or the end of the array. */
function itemAt(body: Uint8Array, start: number): BatchItem | undefined {
  const text = scanJsonAt(body, start);
  if (text.ok) {
    const behind = body[skipSpace(body, text.end)];
    if (behind === comma || behind === closeBracket) return { start: text.start, end: text.end, text };
  }
  const end = endOfItem(body, start);
  return end === undefined ? undefined : { start, end, text: scanJson(body, start, end) };
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

/** The lines of an NDJSON text that aren't blank. */
export function lines(body: Uint8Array): readonly BatchItem[] {
  const found: BatchItem[] = [];
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(0x0a, start);
    const end = newline === -1 ? body.length : newline;
    if (!isBlank(body, start, end)) found.push({ start, end, text: scanJson(body, start, end) });
    start = end + 1;
  }
  return found;
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
