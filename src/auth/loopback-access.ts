import { isLoopbackAddress } from './client-address.ts';
import { isSameOrigin, type OriginPolicy } from './origins.ts';
import type { RequestFacts } from './request-facts.ts';

export interface LoopbackAccessOptions {
  readonly origins: OriginPolicy;
  /** A proxy that the operator has named: what comes from there is not this machine's own, whatever it looks like. */
  readonly isProxy: (address: string) => boolean;
  /** Told once, of the first sign that a proxy on this machine passes requests on. */
  readonly suspected: (sign: string) => void;
}

/** Why a request is not surely of this machine itself; undefined: it is. `mediaTypes`: what its body may be. */
export type LoopbackAccess = (request: RequestFacts, mediaTypes: readonly string[]) => string | undefined;

/**
 * Without keys only this machine itself may publish and administrate, and a loopback peer alone doesn't prove that it
 * is: any page in a local browser can send requests to 127.0.0.1, a name that the page's owner controls can be made to
 * resolve to it (DNS rebinding), and through a local proxy every client is loopback. Each check below defeats one of
 * these. Returns the first that failed. A proxy that keeps no trace of itself, and writes a loopback `Host`, can't be
 * told from a local program: that is what the operator has to name it for.
 *
 * None of the media types may be one that a plain HTML form can send.
 */
export function loopbackAccess({ origins, isProxy, suspected }: LoopbackAccessOptions): LoopbackAccess {
  let isSuspected = false;
  return (request, mediaTypes) => {
    const far = peerProblem(request, isProxy) ?? hostProblem(request.header('host'));
    if (far !== undefined) return far;
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
  if (!isLoopbackAddress(peerAddress)) return 'it came from another machine';
  return isProxy(peerAddress) ? 'it came from a trusted proxy' : undefined;
}

const loopbackName = /^(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])(?::\d{1,5})?$/i;

/** Whether a `Host` names this machine in a way that no DNS server has a say in. */
export function isLoopbackHost(host: string): boolean {
  return loopbackName.test(host);
}

/** `Host` still holds the rebound name. */
function hostProblem(host: string): string | undefined {
  return isLoopbackHost(host) ? undefined : 'its Host is not localhost, 127.0.0.1 or [::1]';
}

/** What proxies and CDNs add, besides everything that begins as below. */
const forwardingHeaders: ReadonlySet<string> = new Set([
  'via',
  'cdn-loop',
  'client-ip',
  'front-end-https',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-nginx-proxy',
  'x-proxyuser-ip',
  'x-remote-ip',
  'x-remote-addr',
  'x-url-scheme',
]);

const forwardingPrefixes = [
  'forwarded',
  'x-forwarded',
  'x-original-',
  'x-real-',
  'x-envoy-',
  'x-azure-',
  'x-appengine-',
  'x-vercel-',
  'cf-',
  'fastly-',
  'fly-',
  'tailscale-',
] as const;

/** Whether a header (in lower case) speaks for a proxy. */
export function isForwardingHeader(name: string): boolean {
  return forwardingHeaders.has(name) || forwardingPrefixes.some((prefix) => name.startsWith(prefix));
}

function proxyProblem(request: RequestFacts): string | undefined {
  for (const name of request.headerNames()) {
    if (isForwardingHeader(name)) return `a proxy passed it on (header ${name})`;
  }
  // What nginx sends for every request, when it is set up for WebSockets by their two headers and nothing else.
  const announcesUpgrade = /\bupgrade\b/i.test(request.header('connection'));
  return announcesUpgrade && request.header('upgrade') === ''
    ? 'a proxy passed it on (Connection: upgrade, without Upgrade)'
    : undefined;
}

/** What proxies send, and other programs seldom do: too little to refuse a request. */
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
  return URL.canParse(url) ? new URL(url).host : '';
}

/** A page that the operator listed by name may; `*` is no such trust. */
function pageProblem(request: RequestFacts, origins: OriginPolicy): string | undefined {
  const origin = request.header('origin');
  if (origin !== '' && origins.names(origin)) return undefined;
  if (origin !== '' && !isSameOrigin(origin, request.header('host'))) {
    return 'a web page of another origin sent it (header origin)';
  }
  // A page's own GET brings no Origin; a proxy may have made its Host a loopback one.
  const referer = request.header('referer');
  if (origin === '' && !isLoopbackOrigin(referer)) {
    return `a page of ${hostOf(referer)} sent it (header referer)`;
  }
  // Requests of a page that bring no Origin, like images and scripts. `same-site` is another port of this host.
  const site = request.header('sec-fetch-site');
  if (site === '' || site === 'same-origin' || site === 'none') return undefined;
  return `a web page of another origin sent it (header sec-fetch-site: ${site === 'same-site' ? site : 'cross-site'})`;
}

function bodyProblem(request: RequestFacts, mediaTypes: readonly string[]): string | undefined {
  if (request.method === 'GET' || request.method === 'HEAD') return undefined;
  if (mediaTypes.includes(mediaType(request.header('content-type')))) return undefined;
  return `its Content-Type is not ${mediaTypes.join(' or ')}`;
}

/** `application/json` of `Application/JSON; charset=utf-8`. */
export function mediaType(contentType: string): string {
  const semicolon = contentType.indexOf(';');
  return (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}
