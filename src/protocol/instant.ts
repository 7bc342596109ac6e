const form = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** RFC 3339 in UTC with milliseconds. */
export function toInstant(ms: number): string {
  return new Date(ms).toISOString();
}

/** Milliseconds since 1970 of any RFC 3339 text with upper-case T and Z; undefined: it is none. */
export function fromInstant(text: string): number | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  // `Date.parse` takes February 31 for March 3.
  const daysOfMonth = new Date(Date.UTC(Number(match[1]), Number(match[2]), 0)).getUTCDate();
  const ms = Date.parse(text);
  return Number.isNaN(ms) || Number(match[3]) > daysOfMonth ? undefined : ms;
}
