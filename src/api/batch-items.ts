const quote = 0x22;
const backslash = 0x5c;

/**
 * The items of a JSON array, each as its bytes, found by brackets and quotes alone: whether an item is JSON is for who
 * reads it, so that one bad item doesn't take the others with it. Undefined: the text is no array, or it can't be told
 * where its items end.
 */
export function arrayItems(text: Uint8Array): readonly Uint8Array[] | undefined {
  const first = skipSpace(text, 0);
  if (text[first] !== 0x5b) return undefined;
  const items: Uint8Array[] = [];
  let depth = 0;
  let start = first + 1;
  for (let i = start; i < text.length; i++) {
    const c = text[i];
    if (c === quote) i = endOfString(text, i);
    else if (c === 0x5b || c === 0x7b) depth++;
    else if (c === 0x2c && depth === 0) {
      items.push(text.subarray(start, i));
      start = i + 1;
    } else if (c === 0x5d || c === 0x7d) {
      depth--;
      if (depth >= 0) continue;
      if (c !== 0x5d || skipSpace(text, i + 1) !== text.length) return undefined;
      const last = text.subarray(start, i);
      return items.length === 0 && isBlank(last) ? [] : [...items, last];
    }
  }
  return undefined;
}

/** The lines of an NDJSON text that aren't blank. */
export function lines(text: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(0x0a, start);
    const end = newline === -1 ? text.length : newline;
    const line = text.subarray(start, end);
    if (!isBlank(line)) found.push(line);
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

function isBlank(text: Uint8Array): boolean {
  return skipSpace(text, 0) === text.length;
}
