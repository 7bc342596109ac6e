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
 * percent-encoded may have any character, and a wrong URL any number of slashes.
 */
export function withoutUrlSecrets(text: string): string {
  return text.replace(/(:\/+|\/\/)[^\s"]*@/g, '$1…@').replace(/(:\/\/[^?#\s"]*[?#])[^\s"]+/g, '$1…');
}
