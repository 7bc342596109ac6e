import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { RequestHead } from '../api/http.ts';

/** A request's head, read from uWebSockets.js while the handler runs; both objects are dead after it. */
export function requestHead(response: HttpResponse, request: HttpRequest): RequestHead {
  // Asked for by few, and costly.
  let peerAddress: string | undefined;
  return {
    method: request.getCaseSensitiveMethod(),
    path: request.getUrl(),
    query: request.getQuery() ?? '',
    get peerAddress() {
      peerAddress ??= Buffer.from(response.getRemoteAddressAsText()).toString('latin1');
      return peerAddress;
    },
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

/**
 * All lines of a header, joined by commas. `getHeader` knows the first line only, and a proxy may have added its own below
 * one that the client made up.
 */
export function headerLines(request: HttpRequest, name: string): string {
  const lines: string[] = [];
  request.forEach((each, value) => {
    if (each === name) lines.push(value);
  });
  return lines.join(',');
}
