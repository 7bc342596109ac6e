import type { HttpResponse } from 'uWebSockets.js';
import type { RequestHead } from '../../api/http.ts';
import type { Metrics } from '../../metrics.ts';

export interface FramingOptions {
  /** Also looks for a second length, which takes a while. */
  readonly hasProxies: boolean;
  readonly metrics: Pick<Metrics, 'connectionsRejectedTotal'>;
}

/**
 * Ends the connection, and returns true, where it is not clear where the body of a request ends. The library takes the
 * first of several lengths, and any coding for `chunked`; a proxy in front that reads it in another way takes what
 * follows for a request of its own, with the rights of someone else. There is no response: the library would go on with
 * what follows the request in the same segment.
 */
export function endsUnclear(
  response: HttpResponse,
  head: RequestHead,
  { hasProxies, metrics }: FramingOptions,
): boolean {
  if (isClear(head, hasProxies)) return false;
  metrics.connectionsRejectedTotal.inc({ reason: 'invalid_request' });
  response.close();
  return true;
}

function isClear(head: RequestHead, hasProxies: boolean): boolean {
  const isCoded = head.header('transfer-encoding') !== '';
  if (isCoded && head.headerLines('transfer-encoding').toLowerCase() !== 'chunked') return false;
  return !hasProxies || !head.headerLines('content-length').includes(',');
}
