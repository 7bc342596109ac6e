import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { type ApiResponse, errorResponse } from '../../api/http.ts';
import { sseBody, sseQuery } from '../../api/stream-request.ts';
import { whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { SubscribeResult } from '../../protocol/frames.ts';
import { Lifecycle, type LifecycleOptions } from '../../sessions/lifecycle.ts';
import type { Peer } from '../../sessions/peer.ts';
import type { Session } from '../../sessions/session.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import type { StreamCursors } from '../../sessions/stream-cursors.ts';
import { streamStart } from '../../sessions/stream-start.ts';
import { wireErrorOf } from '../../sessions/wire-error.ts';
import { jsonEvent, retryLine } from '../event-stream.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';
import { endsUnclear, type FramingOptions } from './framing.ts';
import { countRefusal, type RefusalMetrics } from './refusals.ts';
import { requestHead, type SocketKind } from './request-head.ts';
import { type SharedByStreams, SseConnection } from './sse-connection.ts';
import {
  type IdentifiedRequest,
  refusalOf,
  StreamAdmission,
  type StreamAdmissionOptions,
  saysWhatItHad,
} from './stream-admission.ts';
import { StreamSink, type StreamSinkOptions } from './stream-sink.ts';

export interface SseOptions extends StreamAdmissionOptions, ExchangeOptions {
  readonly sessions: Sessions;
  readonly cursors: StreamCursors;
  /** Lets pages of listed origins read a response. */
  readonly withCors: (response: ApiResponse, origin: string) => ApiResponse;
  readonly backpressureMaxBytes: number;
  /** A stream is never silent for longer. */
  readonly heartbeatMs: number;
  /** Clients reconnect within this time, each at another moment. */
  readonly reconnectSpreadMs: number;
  readonly metrics: LifecycleOptions['metrics'] &
    StreamAdmissionOptions['metrics'] &
    FramingOptions['metrics'] &
    RefusalMetrics &
    StreamSinkOptions<unknown>['metrics'];
}

const reconnectMinMs = 1000;
const probeMs = 50;

/** No cache may keep a stream, and no proxy hold back its beginning or compress it: nginx heeds the last one. */
const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
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
    this.#admission = new StreamAdmission(options);
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
      ...{ sink: this.sink, cursors, backpressureMaxBytes, monotonicMs },
      sentBytes: metrics.sentBytesTotal,
      suspect: (connection) => this.#suspect(connection),
    };
  }

  /** The routes, on this app. */
  serve(app: TemplatedApp, kind: SocketKind = 'tcp'): void {
    app.get('/sse', (response, request) => this.#serve(response, request, kind));
    app.post('/sse', (response, request) => this.#serve(response, request, kind));
  }

  /** Keeps silent streams open, and ends those whose clients take nothing. Call it about once a second. */
  sweep(): void {
    const { monotonicMs, heartbeatMs, writeTimeoutMs } = this.#options;
    const nowMs = monotonicMs();
    for (const connection of this.sink.connections) connection.beat(nowMs, heartbeatMs, writeTimeoutMs);
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

  #serve(response: HttpResponse, request: HttpRequest, kind: SocketKind): void {
    const startedAtMs = this.#options.monotonicMs();
    const head = requestHead(response, request, kind, this.#options.requestIds);
    const { metrics, requestIds } = this.#options;
    if (endsUnclear(response, head, { hasProxies: requestIds.hasProxies, metrics })) return;
    const exchange = new Exchange(response, this.#options, head.requestId);
    const origin = head.header('origin');
    const refuse = (error: SluiceError) => this.#refuse(exchange, error, origin);
    this.#admission.receive(
      response,
      head,
      { query: sseQuery, body: sseBody },
      {
        get isOver() {
          return exchange.isOver;
        },
        onAborted: (run) => exchange.onAborted(run),
        onGone: (run) => exchange.onGone(run),
        accept: (identified) => this.#accept(response, exchange, identified, { origin, startedAtMs }),
        refuse,
      },
    );
  }

  #accept(
    response: HttpResponse,
    exchange: Exchange,
    { asked, admit }: IdentifiedRequest,
    { origin, startedAtMs }: { origin: string; startedAtMs: number },
  ): void {
    void whenDone(admit(), (peer) => {
      if (exchange.isOver) return;
      if (peer instanceof SluiceError) this.#refuse(exchange, peer, origin);
      else this.#open(response, exchange, asked, peer, { origin, startedAtMs });
    });
  }

  #open(
    response: HttpResponse,
    exchange: Exchange,
    asked: IdentifiedRequest['asked'],
    peer: Peer,
    { origin, startedAtMs }: { origin: string; startedAtMs: number },
  ): void {
    const { sessions } = this.#options;
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
    sessions.subscribeStream(session, start.subscriptions, (results) => {
      if (exchange.isOver) return;
      const refusal = refusalOf(results);
      if (refusal !== undefined) {
        connection.gone();
        this.#refuse(exchange, refusal, origin);
      } else {
        exchange.upgraded();
        this.#begin(response, connection, session, results as readonly SubscribeResult[], {
          origin,
          requestId: exchange.requestId,
        });
      }
    });
  }

  #begin(
    response: HttpResponse,
    connection: SseConnection,
    session: Session,
    results: readonly SubscribeResult[],
    { origin, requestId }: { origin: string; requestId: string },
  ): void {
    const { headers } = this.#options.withCors({ status: 200, headers: streamHeaders, body: '' }, origin);
    const writeHead = () => {
      response.writeStatus('200 OK');
      response.writeHeader('x-request-id', requestId);
      for (const name in headers) response.writeHeader(name, headers[name] as string);
      response.write(retryLine(this.#reconnectMs()));
    };
    connection.begin(session, writeHead, () =>
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results }),
    );
    session.pump();
  }

  /**
   * A browser's EventSource never reconnects after a status other than 200. So a temporary refusal is sent as a stream
   * that ends, and the client comes back.
   */
  #refuse(exchange: Exchange, error: SluiceError, origin: string): void {
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
