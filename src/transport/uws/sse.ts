import { type ApiResponse, errorResponse } from '../../api/http.ts';
import { sseBody, sseQuery } from '../../api/stream-request.ts';
import type { SluiceError } from '../../errors.ts';
import { wireErrorOf } from '../../sessions/commands/wire-error.ts';
import type { Peer } from '../../sessions/peer.ts';
import { jsonEvent, retryLine } from '../event-stream.ts';
import { type SharedByStreams, SseConnection } from './sse-connection.ts';
import { type IdentifiedRequest, type StreamExchange, saysWhatItHad } from './stream-admission.ts';
import { type StreamOptions, StreamTransport } from './stream-transport.ts';

export interface SseOptions extends StreamOptions {
  /** A stream is never silent for longer. */
  readonly heartbeatMs: number;
  /** Clients reconnect within this time, each at another moment. */
  readonly reconnectSpreadMs: number;
}

const reconnectMinMs = 1000;
const probeMs = 50;

/**
 * No cache may keep a stream, and no proxy hold back its beginning or compress it. nginx heeds `x-accel-buffering`, and
 * `content-encoding` rather than `no-transform`, as do older versions of Caddy. The charset is for libraries that read
 * any text without one as Latin-1, such as requests for Python.
 */
const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'content-encoding': 'identity',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
} as const;

/** `GET` and `POST /sse`: a session for each stream. */
export class EventStreams extends StreamTransport<SseConnection> {
  readonly #options: SseOptions;
  readonly #shared: SharedByStreams;
  /** Connections whose bytes the library may still hold. */
  readonly #suspects = new Set<SseConnection>();
  #probing: ReturnType<typeof setInterval> | undefined;

  constructor(options: SseOptions) {
    super(options, { transport: 'sse', shapes: { query: sseQuery, body: sseBody } });
    this.#options = options;
    this.#shared = { ...this.shared, suspect: (connection) => this.#suspect(connection) };
  }

  /** Keeps silent streams open, and ends those whose clients take nothing. Call it about once a second. */
  sweep(): void {
    const { monotonicMs, heartbeatMs, writeTimeoutMs, turnBudget } = this.#options;
    const nowMs = monotonicMs();
    turnBudget.each([...this.sink.connections], (connection) =>
      connection.beat(nowMs, heartbeatMs, writeTimeoutMs),
    );
  }

  /** Probes until the library holds nothing: it does not always report that a socket takes more. */
  #suspect(connection: SseConnection): void {
    this.#suspects.add(connection);
    this.#probing ??= setInterval(() => this.#probe(), probeMs).unref();
  }

  #probe(): void {
    for (const each of this.#suspects) if (!each.probe()) this.#suspects.delete(each);
    if (this.#suspects.size > 0) return;
    clearInterval(this.#probing);
    this.#probing = undefined;
  }

  protected override accept(request: IdentifiedRequest): void {
    this.admit(request, (peer) => this.#open(request, peer));
  }

  #open(request: IdentifiedRequest, peer: Peer): void {
    const { response, exchange, asked, start } = request;
    const connection = new SseConnection(this.#shared, {
      response,
      names: asked.eventNames,
      acknowledges: saysWhatItHad(asked, peer) ? 'by request' : undefined,
      subscriptions: start.subscriptionsKey,
    });
    exchange.onAborted(() => connection.gone());
    const session = this.open(request, peer, connection);
    const writeHead = () => this.#writeHead(request);
    this.subscribe(request, session, connection, (results) => {
      exchange.upgraded();
      connection.begin(session, writeHead, () =>
        session.outbox.sendFrame({ kind: 'subscribed', id: 0, results }),
      );
    });
  }

  #writeHead({ response, exchange, origin }: StreamExchange): void {
    const { headers } = this.#options.withCors({ status: 200, headers: streamHeaders, body: '' }, origin);
    response.writeStatus('200 OK');
    response.writeHeader('x-request-id', exchange.requestId);
    for (const name in headers) response.writeHeader(name, headers[name] as string);
    response.write(retryLine(this.#reconnectMs()));
  }

  /**
   * A browser's EventSource never reconnects after a status other than 200. So a temporary refusal is sent as a stream
   * that ends, and the client comes back.
   */
  protected override refusal(error: SluiceError): ApiResponse {
    return error.retry ? this.#passing(error) : errorResponse(error);
  }

  #passing({ code, message, retryAfterMs }: SluiceError): ApiResponse {
    const retry = retryLine(retryAfterMs ?? this.#reconnectMs());
    const event = jsonEvent('error', { type: 'error', ...wireErrorOf(code, message, retryAfterMs) });
    return { status: 200, headers: streamHeaders, body: Buffer.concat([retry, event]) };
  }

  #reconnectMs(): number {
    return reconnectMinMs + Math.floor(Math.random() * this.#options.reconnectSpreadMs);
  }
}
