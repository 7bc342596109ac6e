import { parseUrl } from '../url.ts';
import type { RequestedHost } from './requested-host.ts';

/** The web pages that may use the gateway: the configured origins, and always the gateway's own. */
export interface OriginPolicy {
  /** Any origin is listed at all. */
  readonly hasList: boolean;
  /** The origin is listed, by name or by `*`. False for an absent one. */
  lists(origin: string): boolean;
  /** The origin is listed by name, so the operator trusts this page. Never `null`, which a page in a frame can have. */
  names(origin: string): boolean;
  /**
   * Whether pages of this origin may use the gateway, asked for by this name. Without an origin the client is not a
   * browser. The origin `null` (sandboxed frames, files) belongs to no host, so it has to be listed, or `*`.
   */
  allows(origin: string, host: RequestedHost): boolean;
}

/** `origins`: exact ones (`https://dash.example.org`, `capacitor://localhost`, `null`) or `*`. */
export function originPolicy(origins: readonly string[]): OriginPolicy {
  const exact = new Set(origins.filter((origin) => origin !== '*'));
  const any = origins.includes('*');
  const lists = (origin: string) => origin !== '' && (any || exact.has(origin));
  return {
    hasList: origins.length > 0,
    lists,
    names: (origin) => origin !== 'null' && exact.has(origin),
    allows: (origin, host) => origin === '' || lists(origin) || isSameOrigin(origin, host),
  };
}

const hostShape = /^[A-Za-z0-9._:[\]-]+$/;
/** The form that a browser sends: no path, no user, and no backslash, which a URL parser reads as a slash. */
const originShape = /^https?:\/\/[A-Za-z0-9._:[\]-]+$/i;

/**
 * Whether the page was loaded from this host. Where the host is known to be reached by TLS, a page that was loaded by
 * `http` is of another origin: anyone on the network path could have written it. Otherwise the scheme isn't compared,
 * because behind a proxy that ends TLS the gateway doesn't know its own.
 */
export function isSameOrigin(origin: string, { host, isSecure }: RequestedHost): boolean {
  if (host === '' || !hostShape.test(host)) return false;
  if (origin === `https://${host}` || (origin === `http://${host}` && !isSecure)) return true;
  if (!originShape.test(origin)) return false;
  const { protocol, host: originHost } = parseOrigin(origin);
  if (protocol !== 'https:' && (protocol !== 'http:' || isSecure)) return false;
  // Both are parsed, because they may differ in case, and in a default port that one of them has.
  return originHost !== '' && originHost === parseOrigin(`${protocol}//${host}`).host;
}

const noOrigin = { protocol: '', host: '' };

function parseOrigin(text: string): { readonly protocol: string; readonly host: string } {
  return parseUrl(text) ?? noOrigin;
}
