import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { Api } from '../../api/dispatch.ts';
import { errorResponse, forMethod } from '../../api/http.ts';
import { isPending } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { ExchangeOptions } from './exchange.ts';
import { openExchange } from './open-exchange.ts';
import { type BodyOptions, RequestBody } from './request-body.ts';
import type { SocketKind } from './request-head.ts';
import type { RequestsUnderWay } from './requests-under-way.ts';

export interface HttpOptions extends ExchangeOptions, BodyOptions {
  readonly api: Api;
  readonly requests: RequestsUnderWay;
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
  const { api, requests } = options;
  const received = openExchange(response, request, kind, options);
  if (received === undefined) return;
  const { head, exchange } = received;
  if (!requests.begin()) {
    const refusal = errorResponse(new SluiceError('shutting_down', undefined, { retryAfterMs }));
    exchange.respond(forMethod(head.method, refusal), 'refusals');
    return;
  }
  const opened = api.open(head, exchange);
  const finish = (body: Uint8Array | SluiceError, isInHandler: boolean) => {
    exchange.isInHandler = isInHandler;
    const response = opened.finish(body);
    const finished = isPending(response)
      ? response.then((late) => exchange.respond(late, opened.account, requests.ended))
      : exchange.respond(response, opened.account, requests.ended);
    exchange.isInHandler = false;
    return finished;
  };
  if (opened.bodyMaxBytes === 0) {
    void finish(noBody, true);
    return;
  }
  const body = new RequestBody(response, options, opened, finish);
  exchange.onAborted(() => {
    if (body.drop()) requests.ended();
  });
}

const noBody = new Uint8Array(0);
const retryAfterMs = 1000;
