import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { RequestHead } from '../api/http.ts';

/** A request's head, read from uWebSockets.js while the handler runs; both objects are dead after it. */
export function requestHead(response: HttpResponse, request: HttpRequest): RequestHead {
  return {
    method: request.getCaseSensitiveMethod(),
    path: request.getUrl(),
    query: request.getQuery() ?? '',
    peerAddress: addressText(response),
    header: (name) => request.getHeader(name),
    headerNames: () => {
      const names: string[] = [];
      request.forEach((name) => {
        names.push(name);
      });
      return names;
    },
  };
}

/** The library writes IPv6 in full, and IPv4 on a dual-stack socket as IPv6. */
function addressText(response: HttpResponse): string {
  return Buffer.from(response.getRemoteAddressAsText()).toString('latin1');
}
