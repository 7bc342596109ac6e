/** Half of the gateway's limit for a list in a command. */
export const entriesPerCommand = 500;

/** Splits the entries of a list into commands: none has too many, and none more bytes than the gateway takes. */
export function partsOf<T extends { readonly bytes: number }>(
  entries: readonly T[],
  maxBytes: number,
): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let bytes = maxBytes;
  for (const entry of entries) {
    bytes += entry.bytes;
    if (bytes > maxBytes || part.length === entriesPerCommand) {
      part = [];
      parts.push(part);
      bytes = entry.bytes;
    }
    part.push(entry);
  }
  return parts;
}
