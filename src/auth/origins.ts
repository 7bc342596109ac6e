/** The web pages that may use the gateway: the configured origins, and always the gateway's own. */
export interface OriginPolicy {
  /** Any origin is listed at all. */
  readonly hasList: boolean;
  /** The origin is listed, by name or by `*`. False for an absent one. */
  lists(origin: string): boolean;
  /** The origin is listed by name, so the operator trusts this page. Never `null`, which a page in a frame can have. */
  names(origin: string): boolean;
  /**
   * Whether a request with these headers is allowed. Without an origin the client is not a browser. The origin `null`
   * (sandboxed frames, files) belongs to no host, so it has to be listed, or `*`.
   */
  allows(origin: string, host: string): boolean;
}

/** `origins`: exact ones (`https://dash.example.org`, `capacitor://localhost`, `null`) or `*`. */
export function originPolicy(origins: readonly string[]): OriginPolicy {
  const named = new Set(origins.filter((origin) => origin !== '*'));
  const any = origins.includes('*');
  const lists = (origin: string) => origin !== '' && (any || named.has(origin));
  return {
    hasList: origins.length > 0,
    lists,
    names: (origin) => origin !== 'null' && named.has(origin),
    allows: (origin, host) => origin === '' || lists(origin) || isSameOrigin(origin, host),
  };
}

const hostShape = /^[A-Za-z0-9._:[\]-]+$/;

/**
 * Whether the page was loaded from this host. The scheme isn't compared: behind a proxy that ends TLS the gateway
 * doesn't know its own.
 */
export function isSameOrigin(origin: string, host: string): boolean {
  if (host === '' || !hostShape.test(host)) return false;
  if (origin === `http://${host}` || origin === `https://${host}`) return true;
  const { protocol, host: originHost } = parseOrigin(origin);
  if (protocol !== 'http:' && protocol !== 'https:') return false;
  // Both are parsed, because they may differ in case, and in a default port that one of them has.
  return originHost !== '' && originHost === parseOrigin(`${protocol}//${host}`).host;
}

const noOrigin = { protocol: '', host: '' };

function parseOrigin(text: string): { readonly protocol: string; readonly host: string } {
  return URL.canParse(text) ? new URL(text) : noOrigin;
}
