import type { TemplatedApp } from 'uWebSockets.js';
import { type ApiResponse, errorResponse, jsonText } from '../../api/http.ts';
import { pollBody, pollQuery } from '../../api/stream-request.ts';
import { whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import { concatBytes } from '../../protocol/bytes.ts';
import type { Holder } from '../../sessions/admission/connection-caps.ts';
import { Lifecycle } from '../../sessions/lifecycle.ts';
import type { Peer } from '../../sessions/peer.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import { formerSessionOf, type StreamStart, streamStart } from '../../sessions/subscriptions/stream-start.ts';
import type { Exchange } from './exchange.ts';
import { type Poll, PollConnection, type PollResponse } from './poll-connection.ts';
import { countRefusal } from './refusals.ts';
import type { SocketKind } from './request-head.ts';
import {
  type IdentifiedRequest,
  refusalOf,
  StreamAdmission,
  type StreamExchange,
  type StreamOptions,
  saysWhatItHad,
} from './stream-admission.ts';
import { StreamSink } from './stream-sink.ts';

export interface PollsOptions extends StreamOptions {
  readonly sessions: StreamOptions['sessions'] & Pick<Sessions, 'heard' | 'received'>;
  /** See `PollConnectionOptions`. */
  readonly responseMaxBytes: number;
  /** Called when a client continues here whose session, of this id, is not here. */
  readonly replaced?: ((session: string, client: Holder) => void) | undefined;
}

/** A session that polls is gone when it has not polled for this long. */
const pollGoneMs = 30_000;

/** One request. */
interface Asking extends StreamExchange {
  readonly identified: IdentifiedRequest;
  readonly start: StreamStart;
}

/** `GET` and `POST /poll`: a session for the polls of one client, from the first until 30 s after the last. */
export class Polls {
  readonly #options: PollsOptions;
  readonly #admission: StreamAdmission;
  readonly #lifecycle: Lifecycle;
  readonly #sink: StreamSink<PollConnection>;
  /** By the id of their session, which their cursors name. */
  readonly #connections = new Map<string, PollConnection>();
  /**
   * By the session that their client says it had before, because it polls with the cursor of that one again when the
   * response is lost. Any client can say so of any session: the latest one counts.
   */
  readonly #byFormer = new Map<string, PollConnection>();

  constructor(options: PollsOptions) {
    this.#options = options;
    this.#admission = new StreamAdmission(options, {
      shapes: { query: pollQuery, body: pollBody },
      continues: (applicant, former) => {
        const known = this.#continuedFrom(former);
        return known?.session?.peer.addressKey === applicant.addressKey;
      },
      accept: (request, identified) => {
        const start = streamStart(identified.asked.subscriptions, identified.asked.cursor);
        this.#accept({ ...request, identified, start });
      },
      refuse: ({ exchange, origin }, error) => this.#refuse(exchange, error, origin),
    });
    this.#lifecycle = new Lifecycle({ ...options, transport: 'poll' });
    this.#sink = new StreamSink({
      ...options,
      transport: 'poll',
      closed: (connection) => this.#closed(connection),
    });
  }

  /** The routes, on this app. */
  serve(app: TemplatedApp, kind: SocketKind = 'tcp'): void {
    app.get('/poll', (response, request) => this.#admission.receive(response, request, kind));
    app.post('/poll', (response, request) => this.#admission.receive(response, request, kind));
  }

  /** Ends the sessions that no longer poll. Call it about once a second. */
  sweep(): void {
    const nowMs = this.#options.monotonicMs();
    this.#options.turnBudget.each([...this.#sink.connections], ({ parkedAtMs, session }) => {
      if (parkedAtMs !== undefined && nowMs - parkedAtMs >= pollGoneMs) session?.end('idle_timeout');
    });
  }

  #closed(connection: PollConnection): void {
    const { session, formerSession } = connection;
    if (session === undefined) return;
    this.#connections.delete(session.id);
    if (formerSession !== undefined && this.#byFormer.get(formerSession) === connection)
      this.#byFormer.delete(formerSession);
    this.#lifecycle.closed(session);
  }

  #continuedFrom(session: string): PollConnection | undefined {
    return this.#connections.get(session) ?? this.#byFormer.get(session);
  }

  #accept(asking: Asking): void {
    const { identified, start, exchange, origin } = asking;
    const known = this.#continuedFrom(formerSessionOf(identified.asked) ?? '');
    if (known === undefined || !isOf(known, identified)) {
      this.#open(asking);
      return;
    }
    const waitMs = known.session?.takeCommand(this.#options.monotonicMs()) ?? 0;
    if (waitMs > 0) {
      this.#refuse(exchange, new SluiceError('rate_limited', undefined, { retryAfterMs: waitMs }), origin);
    } else if (known.subscriptions === start.subscriptionsKey && known.continuesAt(identified.asked.text)) {
      this.#wait(asking, known);
    } else {
      // A response was lost, so the session is ahead of its client; or the client wants other topics.
      known.session?.end('going_away');
      this.#open(asking);
    }
  }

  #wait(asking: Asking, connection: PollConnection): void {
    const { session } = connection;
    if (session === undefined) return;
    const { sessions } = this.#options;
    sessions.heard(session);
    // While another poll waits, some of what was sent may be in no response yet.
    if (connection.parkedAtMs !== undefined) sessions.received(session);
    connection.wait(this.#poll(asking, connection));
  }

  #open(asking: Asking): void {
    const { identified, exchange, origin } = asking;
    const { applicant, identity, asked } = identified;
    const former = formerSessionOf(asked);
    const isElsewhere = former !== undefined && !this.#connections.has(former);
    void whenDone(identified.admit(isElsewhere ? former : undefined), (peer) => {
      if (exchange.isOver) return;
      if (peer instanceof SluiceError) {
        this.#refuse(exchange, peer, origin);
        return;
      }
      const { addressKey } = applicant;
      if (isElsewhere) this.#options.replaced?.(former, { addressKey, user: identity.user });
      this.#begin(asking, peer);
    });
  }

  /**
   * A client continues on another node. Ends its session if that is here, and returns whether it was: also one that had
   * continued the same session, and whose response was lost.
   */
  replaced(session: string, { addressKey, user }: Holder): boolean {
    const known = this.#continuedFrom(session)?.session;
    if (known === undefined || known.closed || known.peer.addressKey !== addressKey) return false;
    if (known.shownUser !== user) return false;
    known.end('going_away');
    return true;
  }

  #begin(asking: Asking, peer: Peer): void {
    const { identified, start, exchange, origin, startedAtMs } = asking;
    const { sessions, metrics } = this.#options;
    const connection = new PollConnection({
      ...this.#options,
      sink: this.#sink,
      acknowledges: saysWhatItHad(identified.asked, peer) ? 'by request' : 'by receipt',
      subscriptions: start.subscriptionsKey,
      formerSession: formerSessionOf(identified.asked),
      sentBytes: metrics.sentBytesTotal,
    });
    connection.open(this.#poll(asking, connection));
    const session = this.#lifecycle.open(peer, connection, startedAtMs, start.continuation);
    connection.opened(session);
    this.#sink.add(connection);
    this.#connections.set(session.id, connection);
    if (connection.formerSession !== undefined) this.#byFormer.set(connection.formerSession, connection);
    peer.seat.name?.(session.id);
    sessions.subscribeStream(session, start.subscriptions, identified.timed, (results) => {
      const refusal = refusalOf(results);
      if (refusal !== undefined) {
        connection.gone();
        this.#refuse(exchange, refusal, origin);
      } else if (!(results instanceof SluiceError)) {
        session.outbox.sendFrame({ kind: 'subscribed', id: 0, results });
        connection.begin(start, results);
      }
    });
  }

  /** The poll for its connection. Its time-out starts. */
  #poll({ exchange, identified, origin }: Asking, connection: PollConnection): Poll {
    const { timeoutSeconds, text } = identified.asked;
    const poll: Poll = {
      respond: (response) => {
        clearTimeout(timer);
        this.#respond(exchange, response, { connection, origin, text });
      },
      drop: () => {
        clearTimeout(timer);
        exchange.close();
      },
    };
    const timer = setTimeout(() => connection.timeUp(poll), timeoutSeconds * 1000);
    exchange.onAborted(() => {
      clearTimeout(timer);
      connection.abandoned(poll);
    });
    return poll;
  }

  #respond(
    exchange: Exchange,
    { frames, cursor }: PollResponse,
    { connection, origin, text }: { connection: PollConnection; origin: string; text: string },
  ): void {
    const { withCors } = this.#options;
    const account = connection.session?.lastingAccount ?? '';
    exchange.respond(withCors(pollResponse(frames, cursor ?? text), origin), account);
  }

  #refuse(exchange: Exchange, error: SluiceError, origin: string): void {
    countRefusal(this.#options.metrics, error);
    exchange.respond(this.#options.withCors(errorResponse(error), origin), 'refusals');
  }
}

/** Whether the session is one of this client. */
function isOf({ session }: PollConnection, { applicant, identity }: IdentifiedRequest): boolean {
  if (session === undefined) return false;
  const { shown, told, addressKey } = session.peer;
  const { user, apiKey } = shown ?? session.identity;
  const isSame = user === identity.user && apiKey === identity.apiKey;
  // The headers that the application knows a client by must be there at each poll.
  const isToldSame = shown === undefined || JSON.stringify(told) === JSON.stringify(applicant.told);
  return isSame && isToldSame && addressKey === applicant.addressKey;
}

const utf8 = new TextEncoder();
const comma = utf8.encode(',');

/** `{"events":[…],"cursor":"…"}`, or only the header if there was nothing. */
function pollResponse(frames: readonly Uint8Array[], cursor: string): ApiResponse {
  const header = { 'sluice-cursor': cursor };
  if (frames.length === 0)
    return { status: 204, headers: { ...header, 'cache-control': 'no-store' }, body: '' };
  const parts: Uint8Array[] = [utf8.encode('{"events":[')];
  for (const [i, frame] of frames.entries()) parts.push(...(i > 0 ? [comma, frame] : [frame]));
  parts.push(utf8.encode(`],"cursor":${JSON.stringify(cursor)}}`));
  const response = jsonText(200, concatBytes(parts));
  return { ...response, headers: { ...response.headers, ...header } };
}
