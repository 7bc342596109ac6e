import type { CloseCode } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { Connection } from './connection.ts';
import type { Peer } from './peer.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import type { Continuation } from './subscriptions/stream-start.ts';

export interface LifecycleOptions {
  readonly sessions: Pick<Sessions, 'open' | 'close'>;
  /** The name of the transport in metrics. */
  readonly transport: string;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  readonly metrics: Pick<Metrics, 'connectionsTotal' | 'connectionsClosedTotal' | 'handshakeSeconds'> &
    Pick<Metrics, 'connections' | 'heartbeatTimeoutsTotal' | 'onScrape'>;
}

/**
 * Begins and ends the sessions of one transport, and counts them: the counterpart of `Connection`. For each connection
 * call `open`, then any of `Sessions.receive`, `heard` and `controlled` and of `Session.drained`, and `closed` exactly
 * once, however the connection ended.
 */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #opened: { inc(): void };
  #openNow = 0;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    const { metrics, transport } = options;
    this.#opened = metrics.connectionsTotal.labels({ transport });
    metrics.onScrape(() => metrics.connections.set({ transport }, this.#openNow));
  }

  /** Connections that are open. */
  get count(): number {
    return this.#openNow;
  }

  /**
   * Begins the session of an admitted peer, which may send at once. `startedAtMs`: when the connection was asked for,
   * on the monotonic clock. `continuation`: set if the client of a stream had another session before.
   */
  open(peer: Peer, connection: Connection, startedAtMs: number, continuation?: Continuation): Session {
    const { sessions, metrics, monotonicMs } = this.#options;
    const session = sessions.open(peer, connection, continuation);
    this.#openNow++;
    this.#opened.inc();
    metrics.handshakeSeconds.observe((monotonicMs() - startedAtMs) / 1000);
    return session;
  }

  /**
   * The connection is gone. Before this call the transport removes it from its sink, so that undelivered publications
   * are taken back while the session still knows its views. `endedBy`: why the transport itself ended it. `code`: the
   * close code of a WebSocket.
   */
  closed(session: Session, endedBy?: CloseCode, code?: number): void {
    const { sessions, metrics } = this.#options;
    if (endedBy !== undefined) session.wasEnded(endedBy);
    if (session.endedBy === 'idle_timeout') metrics.heartbeatTimeoutsTotal.inc();
    metrics.connectionsClosedTotal.inc({ reason: sessions.close(session, code) });
    this.#openNow--;
  }
}
