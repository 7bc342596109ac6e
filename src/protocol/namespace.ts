/** The part of a topic's name before the first `:`, or the whole name. */
export function namespaceOf(name: string): string {
  const colon = name.indexOf(':');
  return colon === -1 ? name : name.slice(0, colon);
}
