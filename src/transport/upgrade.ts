import type { HttpRequest, HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import { type ApiResponse, errorResponse } from '../api/http.ts';
import { whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { Entrance } from '../sessions/entrance.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';
import { requestHead } from './request-head.ts';
import type { SocketData } from './uws-connection.ts';

export interface UpgradeOptions extends ExchangeOptions {
  readonly entrance: Entrance;
  /** Lets pages of listed origins read an answer. */
  readonly withCors: (answer: ApiResponse, origin: string) => ApiResponse;
  readonly metrics: Pick<Metrics, 'connectionsRejectedTotal' | 'authFailuresTotal' | 'rateLimitedTotal'>;
}

/** Upgrades of HTTP requests to WebSockets, for those whom the entrance lets in. */
export class Upgrades {
  readonly #options: UpgradeOptions;

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
    const { entrance, monotonicMs } = this.#options;
    const startedAtMs = monotonicMs();
    const exchange = new Exchange(response, this.#options);
    const entry = entrance.ask(requestHead(response, request));
    if (entry instanceof SluiceError) {
      this.#refuse(exchange, entry);
      return;
    }
    const key = request.getHeader('sec-websocket-key');
    const extensions = request.getHeader('sec-websocket-extensions');
    const proceed = (identity: Awaited<ReturnType<Entrance['identify']>>) => {
      if (exchange.isOver) return;
      const peer = identity instanceof SluiceError ? identity : entrance.admit(entry, identity);
      if (peer instanceof SluiceError) {
        this.#refuse(exchange, peer);
        return;
      }
      const { codec, topic, subprotocol } = entry;
      const data: SocketData = { opening: { peer, codec, topic, startedAtMs }, connection: undefined };
      exchange.upgraded();
      response.cork(() => response.upgrade(data, key, subprotocol, extensions, context));
    };
    // Not later than it must be: the library has been seen to close one in some ten thousand of those that are upgraded
    // outside of this handler, right behind its 101.
    void whenDone(entrance.identify(entry), proceed);
  }

  /**
   * `GET` of a WebSocket route without an upgrade: says whether, and if not why not, a client may connect. Browsers tell a
   * page nothing of a refused upgrade, so pages of listed origins may read this.
   */
  explain(response: HttpResponse, request: HttpRequest): void {
    const { entrance, withCors } = this.#options;
    const exchange = new Exchange(response, this.#options);
    const origin = request.getHeader('origin');
    const answer = (error: SluiceError) => exchange.answer(withCors(refusal(error), origin), noPayer);
    const entry = entrance.inquire(requestHead(response, request));
    if (entry instanceof SluiceError) {
      answer(entry);
      return;
    }
    void whenDone(entrance.verdict(entry), answer);
  }

  #refuse(exchange: Exchange, error: SluiceError): void {
    const { metrics } = this.#options;
    const { code } = error;
    metrics.connectionsRejectedTotal.inc({ reason: code });
    if (error.isAuthFault) metrics.authFailuresTotal.inc({ reason: code });
    if (code === 'rate_limited') metrics.rateLimitedTotal.inc({ scope: 'handshake' });
    exchange.answer(refusal(error), noPayer);
  }
}

/** Refusals are small: the socket takes them, or the connection ends. */
const noPayer = 'refusals';

function refusal(error: SluiceError): ApiResponse {
  const answer = errorResponse(error);
  return answer.status === 426 ? { ...answer, headers: { ...answer.headers, upgrade: 'websocket' } } : answer;
}
