/** A copy without the members that are null: in plain JavaScript they often mean "none", as `undefined` does. */
export function given<T extends object>(options: T | null | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([, value]) => value !== null),
  ) as Partial<T>;
}
