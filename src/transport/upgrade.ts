import type { HttpRequest, HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import { type ApiResponse, errorResponse } from '../api/http.ts';
import { whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { Entrance } from '../sessions/entrance.ts';
import { statusLine } from './http.ts';
import { requestHead } from './request-head.ts';
import type { SocketData } from './uws-connection.ts';

export interface UpgradeOptions {
  readonly entrance: Entrance;
  /** Lets pages of listed origins read an answer. */
  readonly withCors: (answer: ApiResponse, origin: string) => ApiResponse;
  readonly monotonicMs: () => number;
  readonly rejected: (error: SluiceError) => void;
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
    const state = { aborted: false };
    response.onAborted(() => {
      state.aborted = true;
    });
    const entry = entrance.ask(requestHead(response, request));
    if (entry instanceof SluiceError) {
      this.#refuse(response, entry);
      return;
    }
    const key = request.getHeader('sec-websocket-key');
    const extensions = request.getHeader('sec-websocket-extensions');
    const proceed = (identity: Awaited<ReturnType<Entrance['identify']>>) => {
      if (state.aborted) return;
      const peer = identity instanceof SluiceError ? identity : entrance.admit(entry, identity);
      if (peer instanceof SluiceError) {
        this.#refuse(response, peer);
        return;
      }
      const { codec, topic, subprotocol } = entry;
      const data: SocketData = { opening: { peer, codec, topic, startedAtMs }, connection: undefined };
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
    const state = { aborted: false };
    response.onAborted(() => {
      state.aborted = true;
    });
    const origin = request.getHeader('origin');
    const answer = (error: SluiceError) => {
      if (!state.aborted) write(response, withCors(errorResponse(error), origin));
    };
    const entry = entrance.inquire(requestHead(response, request));
    if (entry instanceof SluiceError) {
      answer(entry);
      return;
    }
    void whenDone(entrance.verdict(entry), answer);
  }

  #refuse(response: HttpResponse, error: SluiceError): void {
    this.#options.rejected(error);
    write(response, errorResponse(error));
  }
}

function write(response: HttpResponse, { status, headers, body }: ApiResponse): void {
  response.cork(() => {
    response.writeStatus(statusLine(status));
    for (const name in headers) response.writeHeader(name, headers[name] as string);
    if (status === 426) response.writeHeader('upgrade', 'websocket');
    response.end(body);
  });
}
