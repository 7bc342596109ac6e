import type { Identity } from '../../src/auth/identity.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Metrics } from '../../src/metrics.ts';
import type { SubscribeResult, Subscription } from '../../src/protocol/frames.ts';
import type { TakenSeat } from '../../src/sessions/admission/connection-caps.ts';
import type { ConnectionLimits } from '../../src/sessions/admission/connection-limits.ts';
import { HeldBytes } from '../../src/sessions/limits/charges.ts';
import type { Peer } from '../../src/sessions/peer.ts';
import type { Session } from '../../src/sessions/session.ts';
import type { Sessions } from '../../src/sessions/sessions.ts';
import { StreamCursors } from '../../src/sessions/subscriptions/stream-cursors.ts';
import {
  formerSessionOf,
  type StreamStart,
  streamStart,
} from '../../src/sessions/subscriptions/stream-start.ts';
import type { Broker } from '../../src/topics/broker.ts';
import { type Cursor, parseCursor } from '../../src/topics/cursor.ts';
import { type Poll, PollConnection } from '../../src/transport/uws/poll-connection.ts';
import { SseConnection } from '../../src/transport/uws/sse-connection.ts';
import type { SharedByConnections } from '../../src/transport/uws/stream-connection.ts';
import { StreamSink } from '../../src/transport/uws/stream-sink.ts';
import type { Process } from './loop.ts';
import { type Reader, Response } from './stream-response.ts';

export interface StreamsOptions {
  readonly sessions: Sessions;
  readonly broker: Broker;
  readonly connectionLimits: ConnectionLimits;
  readonly identity: Identity;
  readonly loop: Process;
  readonly metrics: Metrics;
  readonly backpressureMaxBytes: number;
  readonly kernelBytes: number;
  readonly writeTimeoutMs: number;
}

/** What a client asks a stream for. */
export interface StreamAsked {
  readonly subscriptions: readonly Subscription[];
  /** Empty: it begins. */
  readonly cursor: string;
  /** The session that the client says that it had. */
  readonly former?: string | undefined;
  /** How long a poll may wait. */
  readonly timeoutMs?: number;
}

/** The kernel takes this much, and more, for a client that reads nothing, however small its receive buffer. */
const kernelMinBytes = 8192;
const heartbeatMs = 15_000;
const probeMs = 50;
const pollMs = 25_000;
const pollGoneMs = 30_000;
/** Of another make. */
const unknownCursor: Cursor = { epoch: '-', seq: 0, lacksValues: false };

/**
 * Streams and polls on the model's loop. Their connections, sinks and cursors are real; how requests are read is left
 * out, and the timers are the loop's.
 */
export class Streams {
  readonly #options: StreamsOptions;
  /** Of all connections. */
  readonly #shared: Omit<SharedByConnections, 'sink'>;
  readonly #sse: StreamSink<SseConnection>;
  readonly #polls: StreamSink<PollConnection>;
  readonly #suspects = new Set<SseConnection>();
  /** By the id of their session, which cursors name. */
  readonly #unread = new HeldBytes({ perPayer: 1e5, total: 1e6 });
  readonly #polling = new Map<string, PollConnection>();

  constructor(options: StreamsOptions) {
    this.#options = options;
    const { metrics, backpressureMaxBytes, loop } = options;
    const cursors = new StreamCursors(options.broker.commits);
    const { sentBytesTotal: sentBytes } = metrics;
    this.#shared = { cursors, backpressureMaxBytes, sentBytes, monotonicMs: loop.nowMs };
    const common = { cursors, metrics };
    const closed = ({ session }: { readonly session: Session | undefined }) => {
      if (session !== undefined) options.sessions.close(session);
    };
    this.#sse = new StreamSink<SseConnection>({ ...common, transport: 'sse', closed });
    this.#polls = new StreamSink<PollConnection>({
      ...common,
      transport: 'poll',
      closed: (connection) => {
        for (const [id, each] of this.#polling) if (each === connection) this.#polling.delete(id);
        closed(connection);
      },
    });
  }

  /** Call it about once a second. */
  sweep(): void {
    const { loop, writeTimeoutMs } = this.#options;
    const nowMs = loop.nowMs();
    for (const connection of this.#sse.connections) connection.beat(nowMs, heartbeatMs, writeTimeoutMs);
    for (const { parkedAtMs, session } of this.#polls.connections)
      if (parkedAtMs !== undefined && nowMs - parkedAtMs >= pollGoneMs) session?.end('idle_timeout');
  }

  openStream(asked: StreamAsked, reader: Reader): Response {
    const { kernelBytes, loop, sessions } = this.#options;
    const response = new Response(Math.max(kernelMinBytes, kernelBytes), loop.nowMs, reader);
    const start = startOf(asked);
    const connection = new SseConnection(
      { ...this.#shared, sink: this.#sse, suspect: (each) => this.#suspect(each) },
      {
        response: response.asLibrary,
        names: 'message',
        acknowledges: undefined,
        subscriptions: start.subscriptionsKey,
      },
    );
    response.aborted = () => connection.gone();
    const session = sessions.open(this.#peer(), connection, start.continuation);
    connection.opened(session);
    this.#sse.add(connection);
    this.#subscribe(session, start, (results) => {
      if (results instanceof SluiceError) {
        connection.gone();
        response.close();
        return;
      }
      connection.begin(
        session,
        () => undefined,
        () => session.outbox.sendFrame({ kind: 'subscribed', id: 0, results }),
      );
    });
    return response;
  }

  /** Returns how the client gives the poll up. */
  poll(asked: StreamAsked, poll: Poll): () => void {
    const { subscriptions, timeoutMs = pollMs } = asked;
    const known = { cursor: cursorOf(asked), former: asked.former, subscriptions };
    const former = formerSessionOf(known) ?? '';
    const start = startOf(asked);
    let connection = this.#polling.get(former);
    if (connection !== undefined && !isAt(connection, start, asked)) {
      connection.session?.end('going_away');
      connection = undefined;
    }
    if (connection === undefined) connection = this.#beginPolls(start, former, poll);
    else connection.wait(poll);
    const waiting = connection;
    this.#options.loop.after(timeoutMs, () => waiting.timeUp(poll));
    return () => waiting.abandoned(poll);
  }

  #beginPolls(start: StreamStart, former: string, poll: Poll): PollConnection {
    const { sessions } = this.#options;
    const { subscriptionsKey: subscriptions } = start;
    const connection = new PollConnection(
      {
        ...this.#shared,
        sink: this.#polls,
        responseMaxBytes: 4 * this.#options.backpressureMaxBytes,
        unread: this.#unread,
      },
      { acknowledges: 'by receipt', subscriptions, formerSession: former || undefined },
    );
    connection.open(poll);
    const session = sessions.open(this.#peer(), connection, start.continuation);
    connection.opened(session);
    this.#polls.add(connection);
    this.#polling.set(session.id, connection);
    if (former !== '' && !this.#polling.has(former)) this.#polling.set(former, connection);
    this.#subscribe(session, start, (results) => {
      if (results instanceof SluiceError) {
        connection.gone();
        poll.drop();
        return;
      }
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results });
      connection.begin(session, start.continuation !== undefined, results);
    });
    return connection;
  }

  #subscribe(
    session: Session,
    { subscriptions }: StreamStart,
    finish: (results: readonly SubscribeResult[] | SluiceError) => void,
  ): void {
    this.#options.sessions.subscribeStream(
      session,
      subscriptions,
      (run) => run(),
      (results) => {
        // A gateway that is away refuses a client that has heard of more elsewhere.
        const isPassing = results instanceof SluiceError && results.code === 'engine_unavailable';
        if (results instanceof SluiceError && !isPassing) throw results;
        finish(results);
      },
    );
  }

  #peer(): Peer {
    const seat = this.#options.connectionLimits.take({ addressKey: 'here' }) as TakenSeat | SluiceError;
    if (seat instanceof SluiceError) throw seat;
    return { identity: this.#options.identity, address: 'here', addressKey: 'here', seat };
  }

  #suspect(connection: SseConnection): void {
    if (this.#suspects.size === 0) this.#probeLater();
    this.#suspects.add(connection);
  }

  #probeLater(): void {
    this.#options.loop.after(probeMs, () => {
      for (const each of this.#suspects) if (!each.probe()) this.#suspects.delete(each);
      if (this.#suspects.size > 0) this.#probeLater();
    });
  }
}

function cursorOf({ cursor }: StreamAsked): Cursor | undefined {
  return cursor === '' ? undefined : (parseCursor(cursor) ?? unknownCursor);
}

function startOf(asked: StreamAsked): StreamStart {
  return streamStart(asked.subscriptions, cursorOf(asked));
}

function isAt(connection: PollConnection, start: StreamStart, { cursor }: StreamAsked): boolean {
  return connection.subscriptions === start.subscriptionsKey && connection.continuesAt(cursor);
}
