import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { Api } from '../../api/dispatch.ts';
import { errorResponse } from '../../api/http.ts';
import { whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import type { ByteCharges } from '../../sessions/charges.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';
import { endsUnclear } from './framing.ts';
import { RequestBody } from './request-body.ts';
import { requestHead, type SocketKind } from './request-head.ts';
import type { RequestsUnderWay } from './requests-under-way.ts';

export interface HttpOptions extends ExchangeOptions {
  readonly api: Api;
  /** Bodies that have not come to their end, or whose requests are not answered yet. */
  readonly incoming: ByteCharges;
  readonly requests: RequestsUnderWay;
  readonly metrics: Pick<Metrics, 'connectionsRejectedTotal'>;
}

/**
 * Serves everything that is not a WebSocket upgrade. Of requests that a client sends ahead of their responses, only
 * those are served whose predecessor is answered in the turn in which it came: otherwise the library ends the
 * connection, before any code of ours runs (test/transport/uws/facts.test.ts). What had begun goes on, and nothing
 * after it begins.
 */
export function serveHttp(app: TemplatedApp, options: HttpOptions, kind: SocketKind = 'tcp'): void {
  app.any('/*', (response, request) => handleHttp(response, request, kind, options));
}

function handleHttp(
  response: HttpResponse,
  request: HttpRequest,
  kind: SocketKind,
  options: HttpOptions,
): void {
  const { api, incoming, requests } = options;
  const head = requestHead(response, request, kind, options.requestIds);
  const { metrics, requestIds } = options;
  if (endsUnclear(response, head, { hasProxies: requestIds.hasProxies, metrics })) return;
  const exchange = new Exchange(response, options, head.requestId);
  if (!requests.begin()) {
    exchange.respond(
      errorResponse(new SluiceError('shutting_down', undefined, { retryAfterMs })),
      'refusals',
    );
    return;
  }
  const opened = api.open(head);
  const { bodyMaxBytes, account, verdict } = opened;
  const finish = (body: Uint8Array | SluiceError) =>
    whenDone(opened.finish(body), (response) => exchange.respond(response, account, () => requests.ended()));
  if (bodyMaxBytes === 0) {
    exchange.onAborted(() => opened.left());
    void finish(noBody);
    return;
  }
  const { turn } = options;
  const tooSmall = () => metrics.connectionsRejectedTotal.inc({ reason: 'invalid_request' });
  const bodyOptions = { bodyMaxBytes, incoming, account, verdict, turn, tooSmall };
  const body = new RequestBody(response, bodyOptions, finish);
  exchange.onAborted(() => {
    opened.left();
    if (body.drop()) requests.ended();
  });
}

const noBody = new Uint8Array(0);
const retryAfterMs = 1000;
