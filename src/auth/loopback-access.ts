import { isAddress } from '../config/values.ts';
import { mediaType } from '../protocol/media-type.ts';
import { parseUrl } from '../url.ts';
import { isLoopbackAddress } from './client-address.ts';
import { isSameOrigin, type OriginPolicy } from './origins.ts';
import type { RequestFacts } from './request-facts.ts';

export interface LoopbackAccessOptions {
  readonly origins: OriginPolicy;
  /** Whether the operator has named this peer as a proxy: its requests are never this machine's own. */
  readonly isProxy: (address: string) => boolean;
  /** Called once, at the first sign that a proxy on this machine forwards requests. */
  readonly suspected: (sign: string) => void;
}

export interface LoopbackNeed {
  /** The allowed types of its body. */
  readonly mediaTypes: readonly string[];
  /** Checks only that no other machine sent it and no proxy forwarded it: the operator trusts the page that sent it. */
  readonly fromAnyPage?: boolean;
}

/** Returns why a request may not be this machine's own; undefined: it is. */
export type LoopbackAccess = (request: RequestFacts, need: LoopbackNeed) => string | undefined;

/**
 * Without keys only this machine itself may do anything. A loopback peer does not prove that it is: any page in a local
 * browser can send requests to 127.0.0.1, a page's owner can make a name of theirs resolve to it (DNS rebinding), and
 * behind a local proxy every client is loopback. Each check below defeats one of these. Returns the first that failed.
 * A proxy that leaves no trace and sends a loopback `Host` looks like a local program: the operator has to name it.
 *
 * None of the media types may be one that a plain HTML form can send.
 */
export function loopbackAccess({ origins, isProxy, suspected }: LoopbackAccessOptions): LoopbackAccess {
  let isSuspected = false;
  return (request, { mediaTypes, fromAnyPage = false }) => {
    const far = peerProblem(request, isProxy);
    if (far !== undefined) return far;
    if (fromAnyPage) return proxyProblem(request);
    const foreignHost = hostProblem(request.headerLines('host'));
    if (foreignHost !== undefined) return foreignHost;
    const problem = proxyProblem(request);
    if (!isSuspected) {
      const sign = problem ?? proxyHint(request);
      isSuspected = sign !== undefined;
      if (sign !== undefined) suspected(sign);
    }
    return problem ?? pageProblem(request, origins) ?? bodyProblem(request, mediaTypes);
  };
}

function peerProblem(
  { peerAddress }: RequestFacts,
  isProxy: LoopbackAccessOptions['isProxy'],
): string | undefined {
  if (peerAddress === '') return 'it came by the unix socket, as from a proxy';
  if (!isLoopbackAddress(peerAddress))
    return isAddress(peerAddress) ? 'it came from another machine' : 'its connection was reset meanwhile';
  return isProxy(peerAddress) ? 'it came from a trusted proxy' : undefined;
}

const loopbackName = /^(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])(?::\d{1,5})?$/i;

/** Whether a `Host` names this machine without the help of a DNS server. */
export function isLoopbackHost(host: string): boolean {
  return loopbackName.test(host);
}

/** After DNS rebinding, `Host` still has the name that was rebound. */
function hostProblem(host: string): string | undefined {
  return isLoopbackHost(host) ? undefined : 'its Host is not localhost, 127.0.0.1 or [::1]';
}

/** Headers that proxies and CDNs add, besides those with the prefixes below. */
const forwardingHeaders = [
  'via',
  'cdn-loop',
  'client-ip',
  'do-connecting-ip',
  'front-end-https',
  'incap-client-ip',
  'proxy-client-ip',
  'remote-user',
  'surrogate-capability',
  'true-client-ip',
  'x-client-cert',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-host',
  'x-nginx-proxy',
  'x-originating-ip',
  'x-proto',
  'x-proxyuser-ip',
  'x-remote-ip',
  'x-remote-addr',
  'x-remote-user',
  'x-scheme',
  'x-url-scheme',
] as const;

const forwardingPrefixes = [
  'forwarded',
  'x-forwarded',
  'x-original-',
  'x-real-',
  'x-envoy-',
  'x-azure-',
  'x-appengine-',
  'x-vercel-',
  'x-amz-cf-',
  'x-arr-',
  'x-auth-request-',
  'x-nf-',
  'x-ssl',
  'x-varnish',
  'wl-proxy-',
  'cf-',
  'fastly-',
  'fly-',
  'tailscale-',
] as const;

/** One expression for all: every header of a request without a key is looked at (`bench -- http`). */
const forwarding = new RegExp(`^(?:${forwardingPrefixes.join('|')}|(?:${forwardingHeaders.join('|')})$)`);

/** Whether proxies add this header (in lower case). */
export function isForwardingHeader(name: string): boolean {
  return forwarding.test(name);
}

function proxyProblem(request: RequestFacts): string | undefined {
  for (const name of request.headerNames()) {
    if (isForwardingHeader(name)) return `a proxy passed it on (header ${name})`;
  }
  // No header says so: a PROXY header before the request does.
  if ((request.forwardedFor ?? '') !== '') return 'a proxy passed it on (PROXY protocol)';
  // nginx sends this for every request when it is set up for WebSockets with their two headers only.
  const announcesUpgrade = /\bupgrade\b/i.test(request.header('connection'));
  return announcesUpgrade && request.header('upgrade') === ''
    ? 'a proxy passed it on (Connection: upgrade, without Upgrade)'
    : undefined;
}

/** Proxies often send these, other programs seldom do. That is not enough to refuse a request. */
function proxyHint(request: RequestFacts): string | undefined {
  if (/\bclose\b/i.test(request.header('connection'))) return 'Connection: close';
  const origin = request.header('origin') || request.header('referer');
  if (origin === '' || isLoopbackOrigin(origin)) return undefined;
  return `a page of ${hostOf(origin)} asks for a loopback Host`;
}

function isLoopbackOrigin(url: string): boolean {
  const host = hostOf(url);
  return host === '' || isLoopbackHost(host);
}

/** Empty: it has none. */
function hostOf(url: string): string {
  // Parsing no URL throws, which takes a third of a connection's time (`bench -- storm`).
  return url === '' ? '' : (parseUrl(url)?.host ?? '');
}

/** Pages that the operator listed by name are trusted; pages that only match `*` are not. */
function pageProblem(request: RequestFacts, origins: OriginPolicy): string | undefined {
  const origin = request.header('origin');
  if (origin !== '' && origins.names(origin)) return undefined;
  // Not a trusted proxy's: only `Host` says by which name the gateway was asked.
  if (origin !== '' && !isSameOrigin(origin, { host: request.header('host'), isSecure: false })) {
    return 'a web page of another origin sent it (header origin)';
  }
  // A page's GET to its own origin has no Origin header, and a proxy may have set a loopback Host.
  const referer = request.header('referer');
  if (origin === '' && !isLoopbackOrigin(referer)) {
    return `a page of ${hostOf(referer)} sent it (header referer)`;
  }
  // Some requests of a page have no Origin: images and scripts. `same-site` is another port of this host.
  const site = request.header('sec-fetch-site');
  if (site === '' || site === 'same-origin' || site === 'none') return undefined;
  return `a web page of another origin sent it (header sec-fetch-site: ${site === 'same-site' ? site : 'cross-site'})`;
}

function bodyProblem(request: RequestFacts, mediaTypes: readonly string[]): string | undefined {
  if (request.method === 'GET' || request.method === 'HEAD') return undefined;
  const type = request.header('content-type');
  if (mediaTypes.includes(mediaType(type)) || (type === '' && isBodilessOfProgram(request))) return undefined;
  return `its Content-Type is not ${mediaTypes.join(' or ')}`;
}

/** As `curl -X POST` sends it to a route that takes no body. Every browser calls itself Mozilla. */
function isBodilessOfProgram(request: RequestFacts): boolean {
  const length = request.header('content-length');
  const hasBody = (length !== '' && length !== '0') || request.header('transfer-encoding') !== '';
  return !hasBody && !/^mozilla\//i.test(request.header('user-agent'));
}
