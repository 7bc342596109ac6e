/**
 * The URL that a text is; undefined: it is none. `URL.canParse` does not tell: once it was called often, it takes none
 * with `ü` (Node 20 and 22).
 */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/**
 * The text with what may be secret in its URLs left out: user, password, query and fragment. A password that is not
 * percent-encoded may have any character, and a wrong URL any number of slashes. The time is linear in the text.
 */
export function withoutUrlSecrets(text: string): string {
  return text.replace(/(:\/+|\/\/)([^\s"]*)/g, (_, slashes: string, rest: string) => {
    const shown = withoutUser(rest);
    const query = shown.search(/[?#]./);
    return slashes + (query === -1 ? shown : `${shown.slice(0, query + 1)}…`);
  });
}

/** Of words with an `@`, only what follows the last: a URL may lack its scheme. */
export function withoutUsers(text: string): string {
  return text.replace(/[^\s"…]+/g, withoutUser);
}

function withoutUser(text: string): string {
  return text.includes('@') ? `…@${text.slice(text.lastIndexOf('@') + 1)}` : text;
}
