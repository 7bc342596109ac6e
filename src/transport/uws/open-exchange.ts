import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Metrics } from '../../metrics.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';
import { type SocketKind, UwsRequestHead } from './request-head.ts';

export interface OpenOptions extends ExchangeOptions {
  readonly metrics: Pick<Metrics, 'connectionsRejectedTotal'>;
}

/**
 * A request and its response: every handler of the library begins with this.
 *
 * Ends the connection, and returns undefined, where it is not clear where the body of the request ends. The library
 * takes the first of several lengths, and any coding for `chunked`; a proxy in front that reads it in another way takes
 * what follows for a request of its own, with the rights of someone else. There is no response: the library would go on
 * with what follows the request in the same segment.
 */
export function openExchange(
  response: HttpResponse,
  request: HttpRequest,
  kind: SocketKind,
  options: OpenOptions,
): { readonly head: UwsRequestHead; readonly exchange: Exchange } | undefined {
  const { requestIds, metrics } = options;
  const head = new UwsRequestHead(response, request, kind, requestIds);
  if (isClear(head, requestIds.hasProxies))
    return { head, exchange: new Exchange(response, options, head.requestId) };
  metrics.connectionsRejectedTotal.inc({ reason: 'invalid_request' });
  response.close();
  return undefined;
}

/** `hasProxies`: a second length matters, and looking for it takes a while. */
function isClear(head: UwsRequestHead, hasProxies: boolean): boolean {
  const isCoded = head.header('transfer-encoding') !== '';
  if (isCoded && head.headerLines('transfer-encoding').toLowerCase() !== 'chunked') return false;
  return !hasProxies || !head.headerLines('content-length').includes(',');
}
