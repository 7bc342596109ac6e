import { isLoopbackAddress } from './client-address.ts';
import { isSameOrigin, type OriginPolicy } from './origins.ts';
import type { RequestFacts } from './request-facts.ts';

/**
 * Without keys only this machine itself may publish and administrate, and a loopback peer alone doesn't prove that it
 * is: any page in a local browser can send requests to 127.0.0.1, a name that the page's owner controls can be made to
 * resolve to it (DNS rebinding), and behind a local proxy everybody is loopback. Each check below defeats one of
 * these. Answers the first that failed, or nothing.
 *
 * `mediaTypes`: what the body may be. None of them may be one that a plain HTML form can send.
 */
export function localProblem(
  request: RequestFacts,
  mediaTypes: readonly string[],
  origins: OriginPolicy,
): string | undefined {
  return (
    peerProblem(request) ??
    hostProblem(request.header('host')) ??
    proxyProblem(request) ??
    pageProblem(request, origins) ??
    bodyProblem(request, mediaTypes)
  );
}

function peerProblem({ peerAddress }: RequestFacts): string | undefined {
  return isLoopbackAddress(peerAddress) ? undefined : 'it came from another machine';
}

const loopbackName = /^(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])(?::\d{1,5})?$/i;

/** Whether a `Host` names this machine in a way that no DNS server has a say in. */
export function isLoopbackHost(host: string): boolean {
  return loopbackName.test(host);
}

/** A rebound name still stands in `Host`. */
function hostProblem(host: string): string | undefined {
  return isLoopbackHost(host) ? undefined : 'its Host is not localhost, 127.0.0.1 or [::1]';
}

/** What proxies and CDNs add, besides everything that begins with `x-forwarded`. */
const forwardingHeaders: ReadonlySet<string> = new Set([
  'forwarded',
  'forwarded-for',
  'via',
  'cdn-loop',
  'client-ip',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-envoy-external-address',
  'x-original-forwarded-for',
  'x-original-host',
  'x-original-url',
  'x-proxyuser-ip',
  'x-real-ip',
  'x-remote-ip',
  'x-remote-addr',
  'x-azure-clientip',
  'x-appengine-user-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-ray',
  'cf-visitor',
  'fastly-client-ip',
  'fly-client-ip',
]);

/** Whether a header (in lower case) speaks for a proxy. */
export function isForwardingHeader(name: string): boolean {
  return forwardingHeaders.has(name) || name.startsWith('x-forwarded');
}

function proxyProblem(request: RequestFacts): string | undefined {
  for (const name of request.headerNames()) {
    if (isForwardingHeader(name)) return `a proxy passed it on (header ${name})`;
  }
  return undefined;
}

/** A page that the operator listed by name may; `*` is no such trust. */
function pageProblem(request: RequestFacts, origins: OriginPolicy): string | undefined {
  const origin = request.header('origin');
  if (origin !== '' && origins.names(origin)) return undefined;
  if (origin !== '' && !isSameOrigin(origin, request.header('host'))) {
    return 'a web page of another origin sent it (header origin)';
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
