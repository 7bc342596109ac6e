import type { RequestFacts } from './request-facts.ts';

/** By which name a client has asked for the gateway. */
export interface RequestedHost {
  /** With its port where that is not the scheme's own; empty: the request has none. */
  readonly host: string;
  /** A trusted proxy says that it was asked by TLS. False says nothing: another proxy may have ended it before. */
  readonly isSecure: boolean;
}

export type RequestedHostOf = (request: RequestFacts) => RequestedHost;

/**
 * Reads `Host`, and from the proxies that the operator has named `X-Forwarded-Host` and `X-Forwarded-Proto`, which hold
 * what the client asked for where the proxy rewrites `Host`. Of several values the last one counts: the trusted peer
 * wrote it, and the client may have made up the others.
 */
export function requestedHost(isProxy: (peerAddress: string) => boolean): RequestedHostOf {
  return (request) => {
    const host = request.header('host');
    if (!isProxy(request.peerAddress)) return { host, isSecure: false };
    return {
      host: lastOf(request.headerLines('x-forwarded-host')) || host,
      isSecure: /^(?:https|wss)$/i.test(lastOf(request.headerLines('x-forwarded-proto'))),
    };
  };
}

function lastOf(lines: string): string {
  return lines.slice(lines.lastIndexOf(',') + 1).trim();
}
