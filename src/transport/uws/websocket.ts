import type { TemplatedApp, WebSocketBehavior } from 'uWebSockets.js';
import type { CloseCode } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import { Lifecycle, type LifecycleOptions } from '../../sessions/lifecycle.ts';
import type { Session } from '../../sessions/session.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import { readWebSocketRequest } from '../websocket-request.ts';
import { type Opening, type Socket, type SocketData, UwsConnection } from './connection.ts';
import type { SocketKind } from './request-head.ts';
import type { RequestTurn } from './request-turn.ts';
import type { UwsSink } from './sink.ts';
import type { ReadWebSocketRequest, UpgradeHandler } from './upgrade.ts';

export interface WebSocketOptions {
  readonly upgradeHandler: UpgradeHandler;
  readonly sessions: LifecycleOptions['sessions'] &
    Pick<Sessions, 'receive' | 'controlled' | 'subscribeAtOpening'>;
  readonly frameMaxBytes: number;
  readonly idleTimeoutSeconds: number;
  readonly backpressureMaxBytes: number;
  readonly monotonicMs: () => number;
  readonly metrics: LifecycleOptions['metrics'] & Pick<Metrics, 'sentBytesTotal'>;
  /** Counts what is received. */
  readonly turn: RequestTurn;
  /** Called when an HTTP connection has become a WebSocket. */
  readonly upgraded: () => void;
}

/** Messages up to this many times the limit get an error as their reply; larger ones end the connection (1006). */
const toleratedFrames = 2;

/** A path of WebSockets besides the protocol's own, with `{name}` for a segment. */
export interface WebSocketPath {
  readonly path: string;
  readonly read: ReadWebSocketRequest;
  /** Whether a request without an upgrade is for a route of HTTP. */
  readonly isRoute: (path: string) => boolean;
}

/** The WebSocket routes: they open sessions and bring them messages. Any number of apps may serve them. */
export class WebSockets {
  readonly #options: WebSocketOptions;
  readonly #lifecycle: Lifecycle;

  constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#lifecycle = new Lifecycle({ ...options, transport: 'websocket' });
  }

  /** Of all apps. */
  get count(): number {
    return this.#lifecycle.count;
  }

  /** The protocol's own routes, on this app, which this sink publishes to. */
  serve(app: TemplatedApp, sink: UwsSink, kind: SocketKind = 'tcp'): void {
    const { upgradeHandler } = this.#options;
    for (const path of ['/ws', '/ws/*']) {
      app.ws<SocketData>(path, this.#behavior(sink, kind, readWebSocketRequest));
      app.any(path, (response, request) => upgradeHandler.explain(response, request, kind));
    }
  }

  /** Serves paths of other wires. */
  servePaths(
    app: TemplatedApp,
    sink: UwsSink,
    paths: readonly WebSocketPath[],
    kind: SocketKind = 'tcp',
  ): void {
    const { upgradeHandler } = this.#options;
    for (const { path, read, isRoute } of paths) {
      const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1');
      app.ws<SocketData>(pattern, this.#behavior(sink, kind, read));
      app.any(pattern, (response, request) => {
        if (isRoute(request.getUrl())) request.setYield(true);
        else upgradeHandler.explain(response, request, kind, read);
      });
    }
  }

  #behavior(sink: UwsSink, kind: SocketKind, read: ReadWebSocketRequest): WebSocketBehavior<SocketData> {
    const options = this.#options;
    const { upgradeHandler, turn, sessions } = options;
    const controlled = (socket: Socket) => {
      const session = sessionOf(socket);
      if (session === undefined) return;
      turn.count(session);
      sessions.controlled(session);
    };
    return {
      // Sluice compresses by itself, once per view: the library would once per subscriber.
      compression: 0,
      maxPayloadLength: toleratedFrames * options.frameMaxBytes,
      maxBackpressure: options.backpressureMaxBytes,
      idleTimeout: options.idleTimeoutSeconds,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => upgradeHandler.upgrade(response, request, context, kind, read),
      open: (socket) => this.#opened(socket, sink),
      message(socket, message, isBinary) {
        const session = sessionOf(socket);
        if (session === undefined) return;
        turn.count(session);
        sessions.receive(session, new Uint8Array(message), isBinary);
      },
      dropped(socket, message) {
        const session = sessionOf(socket);
        if (session !== undefined) sink.dropped(session.views, message);
      },
      drain(socket) {
        sessionOf(socket)?.drained();
      },
      // The library has replied to it.
      ping: controlled,
      pong: controlled,
      close: (socket, code, message) => {
        const { connection } = socket.getUserData();
        const session = connection?.session;
        if (session === undefined || connection === undefined) return;
        sink.remove(session.views, connection.unsentBytes);
        connection.gone();
        this.#lifecycle.closed(session, libraryEndedBy(code, message), code);
      },
    };
  }

  #opened(socket: Socket, sink: UwsSink): void {
    const { upgraded, sessions, metrics } = this.#options;
    upgraded();
    const data = socket.getUserData();
    const { peer, codec, topic, startedAtMs } = data.opening as Opening;
    const connection = new UwsConnection(sink, socket, codec, metrics.sentBytesTotal);
    const session = this.#lifecycle.open(peer, connection, startedAtMs);
    connection.opened(session);
    data.connection = connection;
    data.opening = undefined;
    sink.add(session.views, connection);
    if (topic !== undefined) sessions.subscribeAtOpening(session, topic);
  }
}

function sessionOf(socket: Socket): Session | undefined {
  return socket.getUserData().connection?.session;
}

/** Why the library itself ended a connection. Only a text tells; test/transport/uws/facts.test.ts checks it. */
function libraryEndedBy(code: number, message: ArrayBuffer): CloseCode | undefined {
  if (code !== 1006) return undefined;
  const reason = Buffer.from(message).toString('utf8');
  if (reason.includes('inactivity')) return 'idle_timeout';
  return reason.includes('too big') ? 'frame_too_large' : undefined;
}
