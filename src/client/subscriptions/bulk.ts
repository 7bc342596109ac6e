/** How much goes into one command. */
export interface BulkLimits {
  readonly entries: number;
  readonly bytes: number;
}

export interface Bulk<T> {
  /** In order, each within the limits. */
  readonly parts: readonly (readonly T[])[];
  /** What exceeds the limit alone. */
  readonly tooLarge: readonly T[];
}

/** Splits a list into commands. `bytesOf`: of an entry in a command of its own, so an upper bound. */
export function splitBulk<T>(list: readonly T[], bytesOf: (entry: T) => number, limits: BulkLimits): Bulk<T> {
  const parts: T[][] = [];
  const tooLarge: T[] = [];
  let part: T[] = [];
  let bytes = 0;
  for (const entry of list) {
    const own = bytesOf(entry);
    if (own > limits.bytes) {
      tooLarge.push(entry);
      continue;
    }
    if (part.length > 0 && (part.length >= limits.entries || bytes + own > limits.bytes)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += own;
  }
  if (part.length > 0) parts.push(part);
  return { parts, tooLarge };
}
