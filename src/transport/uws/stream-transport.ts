import type { TemplatedApp } from 'uWebSockets.js';
import type { ApiResponse } from '../../api/http.ts';
import { whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { SubscribeResult } from '../../protocol/frames.ts';
import { Lifecycle, type LifecycleOptions } from '../../sessions/lifecycle.ts';
import type { TurnBudget } from '../../sessions/limits/turn-budget.ts';
import type { Peer } from '../../sessions/peer.ts';
import type { Session } from '../../sessions/session.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import type { StreamCursors } from '../../sessions/subscriptions/stream-cursors.ts';
import { countRefusal, type RefusalMetrics } from './refusals.ts';
import type { SocketKind } from './request-head.ts';
import {
  grantedOf,
  type IdentifiedRequest,
  StreamAdmission,
  type StreamAdmissionOptions,
  type StreamExchange,
  type StreamRoute,
} from './stream-admission.ts';
import type { SharedByConnections, StreamConnection } from './stream-connection.ts';
import { StreamSink, type StreamSinkOptions } from './stream-sink.ts';

/** What streams and polls need. */
export interface StreamOptions extends StreamAdmissionOptions {
  readonly sessions: LifecycleOptions['sessions'] & Pick<Sessions, 'subscribeStream'>;
  readonly cursors: StreamCursors;
  /** Lets pages of listed origins read a response. */
  readonly withCors: (response: ApiResponse, origin: string) => ApiResponse;
  readonly backpressureMaxBytes: number;
  readonly turnBudget: Pick<TurnBudget, 'each'>;
  readonly metrics: LifecycleOptions['metrics'] &
    StreamAdmissionOptions['metrics'] &
    RefusalMetrics &
    StreamSinkOptions<unknown>['metrics'];
}

/** The name of the transport is that of its route. */
type Route = Pick<StreamRoute, 'shapes' | 'continues'> & { readonly transport: string };

/** `GET` and `POST` of one route: admits clients, opens their sessions, subscribes them, and tells refusals. */
export abstract class StreamTransport<C extends StreamConnection> {
  readonly sink: StreamSink<C>;
  protected readonly shared: SharedByConnections;
  readonly #options: StreamOptions;
  readonly #transport: string;
  readonly #admission: StreamAdmission;
  readonly #lifecycle: Lifecycle;

  constructor(options: StreamOptions, { transport, ...route }: Route) {
    this.#options = options;
    this.#transport = transport;
    this.#admission = new StreamAdmission(options, {
      ...route,
      accept: (request) => this.accept(request),
      refuse: (request, error) => this.refuse(request, error),
    });
    this.#lifecycle = new Lifecycle({ ...options, transport });
    this.sink = new StreamSink({ ...options, transport, closed: (connection) => this.closed(connection) });
    const { cursors, backpressureMaxBytes, monotonicMs, metrics } = options;
    const { sentBytesTotal: sentBytes } = metrics;
    this.shared = { sink: this.sink, cursors, backpressureMaxBytes, monotonicMs, sentBytes };
  }

  /** The routes, on this app. */
  serve(app: TemplatedApp, kind: SocketKind = 'tcp'): void {
    const path = `/${this.#transport}`;
    app.get(path, (response, request) => this.#admission.receive(response, request, kind));
    app.post(path, (response, request) => this.#admission.receive(response, request, kind));
  }

  /** The client of this request is known: it is to be admitted, or has a session already. */
  protected abstract accept(request: IdentifiedRequest): void;

  protected abstract refusal(error: SluiceError): ApiResponse;

  protected refuse({ exchange, origin }: StreamExchange, error: SluiceError): void {
    const { metrics, withCors } = this.#options;
    countRefusal(metrics, error);
    exchange.respond(withCors(this.refusal(error), origin), 'refusals');
  }

  /** Calls `open` once the client has a place. `former`: the session whose place it takes over. */
  protected admit(request: IdentifiedRequest, open: (peer: Peer) => void, former?: string): void {
    void whenDone(request.admit(former), (peer) => {
      if (request.exchange.isOver) return;
      if (peer instanceof SluiceError) this.refuse(request, peer);
      else open(peer);
    });
  }

  protected open({ start, startedAtMs }: IdentifiedRequest, peer: Peer, connection: C): Session {
    const session = this.#lifecycle.open(peer, connection, startedAtMs, start.continuation);
    connection.opened(session);
    this.sink.add(connection);
    return session;
  }

  /** Calls `begin` once the session is subscribed to something; else the request is refused, and the session ends. */
  protected subscribe(
    request: IdentifiedRequest,
    session: Session,
    connection: C,
    begin: (results: readonly SubscribeResult[]) => void,
  ): void {
    const { start, timed } = request;
    this.#options.sessions.subscribeStream(session, start.subscriptions, timed, (results) => {
      const granted = grantedOf(results);
      if (granted instanceof SluiceError) {
        connection.gone();
        this.refuse(request, granted);
      } else begin(granted);
    });
  }

  protected closed({ session }: C): void {
    if (session !== undefined) this.#lifecycle.closed(session);
  }
}
