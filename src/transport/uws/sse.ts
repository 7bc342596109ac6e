import type { TemplatedApp } from 'uWebSockets.js';
import { type ApiResponse, errorResponse } from '../../api/http.ts';
import { sseBody, sseQuery } from '../../api/stream-request.ts';
import { whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { SubscribeResult } from '../../protocol/frames.ts';
import { wireErrorOf } from '../../sessions/commands/wire-error.ts';
import { Lifecycle } from '../../sessions/lifecycle.ts';
import type { Peer } from '../../sessions/peer.ts';
import type { Session } from '../../sessions/session.ts';
import { streamStart } from '../../sessions/subscriptions/stream-start.ts';
import { jsonEvent, retryLine } from '../event-stream.ts';
import { countRefusal } from './refusals.ts';
import type { SocketKind } from './request-head.ts';
import { type SharedByStreams, SseConnection } from './sse-connection.ts';
import {
  type IdentifiedRequest,
  refusalOf,
  StreamAdmission,
  type StreamExchange,
  type StreamOptions,
  saysWhatItHad,
} from './stream-admission.ts';
import { StreamSink } from './stream-sink.ts';

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
export class EventStreams {
  readonly #options: SseOptions;
  readonly #admission: StreamAdmission;
  readonly #lifecycle: Lifecycle;
  readonly sink: StreamSink<SseConnection>;
  readonly #shared: SharedByStreams;
  /** Connections whose bytes the library may still hold. */
  readonly #suspects = new Set<SseConnection>();
  #probing: ReturnType<typeof setInterval> | undefined;

  constructor(options: SseOptions) {
    this.#options = options;
    this.#admission = new StreamAdmission(options, {
      shapes: { query: sseQuery, body: sseBody },
      accept: (request, identified) => this.#accept(request, identified),
      refuse: (request, error) => this.#refuse(request, error),
    });
    this.#lifecycle = new Lifecycle({ ...options, transport: 'sse' });
    this.sink = new StreamSink({
      ...options,
      transport: 'sse',
      closed: ({ session }) => {
        if (session !== undefined) this.#lifecycle.closed(session);
      },
    });
    const { cursors, backpressureMaxBytes, monotonicMs, metrics } = options;
    this.#shared = {
      sink: this.sink,
      cursors,
      backpressureMaxBytes,
      monotonicMs,
      sentBytes: metrics.sentBytesTotal,
      suspect: (connection) => this.#suspect(connection),
    };
  }

  /** The routes, on this app. */
  serve(app: TemplatedApp, kind: SocketKind = 'tcp'): void {
    app.get('/sse', (response, request) => this.#admission.receive(response, request, kind));
    app.post('/sse', (response, request) => this.#admission.receive(response, request, kind));
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

  #accept(request: StreamExchange, identified: IdentifiedRequest): void {
    void whenDone(identified.admit(), (peer) => {
      if (request.exchange.isOver) return;
      if (peer instanceof SluiceError) this.#refuse(request, peer);
      else this.#open(request, identified, peer);
    });
  }

  #open(request: StreamExchange, { asked, timed }: IdentifiedRequest, peer: Peer): void {
    const { response, exchange, startedAtMs } = request;
    const start = streamStart(asked.subscriptions, asked.cursor);
    const connection = new SseConnection(this.#shared, {
      response,
      names: asked.eventNames,
      acknowledges: saysWhatItHad(asked, peer) ? 'by request' : undefined,
      subscriptions: start.subscriptionsKey,
    });
    exchange.onAborted(() => connection.gone());
    const session = this.#lifecycle.open(peer, connection, startedAtMs, start.continuation);
    connection.opened(session);
    this.sink.add(connection);
    this.#options.sessions.subscribeStream(session, start.subscriptions, timed, (results) => {
      if (exchange.isOver) return;
      const refusal = refusalOf(results);
      if (refusal !== undefined) {
        connection.gone();
        this.#refuse(request, refusal);
      } else {
        exchange.upgraded();
        this.#begin(request, connection, session, results as readonly SubscribeResult[]);
      }
    });
  }

  #begin(
    { response, exchange, origin }: StreamExchange,
    connection: SseConnection,
    session: Session,
    results: readonly SubscribeResult[],
  ): void {
    const { headers } = this.#options.withCors({ status: 200, headers: streamHeaders, body: '' }, origin);
    const writeHead = () => {
      response.writeStatus('200 OK');
      response.writeHeader('x-request-id', exchange.requestId);
      for (const name in headers) response.writeHeader(name, headers[name] as string);
      response.write(retryLine(this.#reconnectMs()));
    };
    connection.begin(session, writeHead, () =>
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results }),
    );
  }

  /**
   * A browser's EventSource never reconnects after a status other than 200. So a temporary refusal is sent as a stream
   * that ends, and the client comes back.
   */
  #refuse({ exchange, origin }: StreamExchange, error: SluiceError): void {
    const { metrics, withCors } = this.#options;
    countRefusal(metrics, error);
    exchange.respond(withCors(error.retry ? this.#passing(error) : errorResponse(error), origin), 'refusals');
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
