import { parseUrl } from '../url.ts';

/** Schemes of pages with an origin. The other special schemes of URLs have none, or are not for pages. */
const webScheme = /^https?:$/;
const otherSpecialScheme = /^(?:wss?|ftp|file|blob|data|about|javascript):/i;
/** `capacitor://localhost`, `chrome-extension://ID`: compared verbatim. */
const appOrigin = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*,\\]+$/;

/** Origins of sandboxed frames and of files. */
const namelessOrigins: readonly string[] = ['null', 'file://'];

/**
 * What is wrong with an entry of the list of origins, to be read after "origins: "; undefined: nothing. An origin is
 * written as browsers send it, because it is compared verbatim.
 */
export function originFault(value: string): string | undefined {
  if (value === '*' || namelessOrigins.includes(value)) return undefined;
  if (value.includes('*')) return 'must name each origin: * means all of them, and cannot be part of one';
  const url = parseUrl(value);
  if (url === undefined) return generalFault;
  if (webScheme.test(url.protocol)) {
    return value === url.origin ? undefined : `must be written as browsers send it: ${url.origin}`;
  }
  if (otherSpecialScheme.test(value)) return generalFault;
  if (appOrigin.test(value)) return undefined;
  const bare = `${url.protocol}//${url.host}`;
  return url.host !== '' && appOrigin.test(bare) ? `must be written as apps send it: ${bare}` : generalFault;
}

const generalFault =
  'must be origins like https://dash.example.org or capacitor://localhost, or null, file:// (pages without one) or * (all)';
