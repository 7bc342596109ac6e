import { type ApiResponse, errorResponse, jsonText } from '../../api/http.ts';
import { pollBody, pollQuery } from '../../api/stream-request.ts';
import { SluiceError } from '../../errors.ts';
import { concatBytes } from '../../protocol/bytes.ts';
import type { Holder } from '../../sessions/admission/connection-caps.ts';
import type { Peer } from '../../sessions/peer.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import { formerSessionOf } from '../../sessions/subscriptions/stream-start.ts';
import { type Poll, PollConnection, type SharedByPolls } from './poll-connection.ts';
import { type IdentifiedRequest, saysWhatItHad } from './stream-admission.ts';
import { type StreamOptions, StreamTransport } from './stream-transport.ts';

export interface PollsOptions extends StreamOptions {
  readonly sessions: StreamOptions['sessions'] & Pick<Sessions, 'heard' | 'received'>;
  /** See `PollConnectionOptions`. */
  readonly responseMaxBytes: number;
  /** Called when a client continues here whose session, of this id, is not here. */
  readonly replaced?: ((session: string, client: Holder) => void) | undefined;
}

/** A session that polls is gone when it has not polled for this long. */
const pollGoneMs = 30_000;

/** `GET` and `POST /poll`: a session for the polls of one client, from the first until 30 s after the last. */
export class Polls extends StreamTransport<PollConnection> {
  readonly #options: PollsOptions;
  readonly #shared: SharedByPolls;
  /** By the id of their session, which their cursors name. */
  readonly #connections = new Map<string, PollConnection>();
  /**
   * By the session that their client says it had before, because it polls with the cursor of that one again when the
   * response is lost. Any client can say so of any session: the latest one counts.
   */
  readonly #byFormer = new Map<string, PollConnection>();

  constructor(options: PollsOptions) {
    super(options, {
      transport: 'poll',
      shapes: { query: pollQuery, body: pollBody },
      continues: (applicant, former) =>
        this.#continuedFrom(former)?.session?.peer.addressKey === applicant.addressKey,
    });
    this.#options = options;
    const { responseMaxBytes, unread } = options;
    this.#shared = { ...this.shared, responseMaxBytes, unread };
  }

  /** Ends the sessions that no longer poll. Call it about once a second. */
  sweep(): void {
    const nowMs = this.#options.monotonicMs();
    this.#options.turnBudget.each([...this.sink.connections], ({ parkedAtMs, session }) => {
      if (parkedAtMs !== undefined && nowMs - parkedAtMs >= pollGoneMs) session?.end('idle_timeout');
    });
  }

  protected override closed(connection: PollConnection): void {
    const { session, formerSession } = connection;
    if (session === undefined) return;
    this.#connections.delete(session.id);
    if (formerSession !== undefined && this.#byFormer.get(formerSession) === connection)
      this.#byFormer.delete(formerSession);
    super.closed(connection);
  }

  #continuedFrom(session: string): PollConnection | undefined {
    return this.#connections.get(session) ?? this.#byFormer.get(session);
  }

  protected override accept(request: IdentifiedRequest): void {
    const { asked, start } = request;
    const former = this.#continuedFrom(formerSessionOf(asked) ?? '');
    if (former === undefined || !isOf(former, request)) {
      this.#admitNew(request);
      return;
    }
    const waitMs = former.session?.takeCommand(this.#options.monotonicMs()) ?? 0;
    if (waitMs > 0)
      this.refuse(request, new SluiceError('rate_limited', undefined, { retryAfterMs: waitMs }));
    else if (former.subscriptions === start.subscriptionsKey && former.continuesAt(asked.text))
      this.#wait(request, former);
    else {
      // A response was lost, so the session is ahead of its client; or the client wants other topics.
      former.session?.end('going_away');
      this.#admitNew(request);
    }
  }

  #wait(request: IdentifiedRequest, connection: PollConnection): void {
    const { session } = connection;
    if (session === undefined) return;
    const { sessions } = this.#options;
    sessions.heard(session);
    // While another poll waits, some of what was sent may be in no response yet.
    if (connection.parkedAtMs !== undefined) sessions.received(session);
    connection.wait(this.#poll(request, connection));
  }

  #admitNew(request: IdentifiedRequest): void {
    const { applicant, identity, asked } = request;
    const former = formerSessionOf(asked);
    const elsewhere = former !== undefined && !this.#connections.has(former) ? former : undefined;
    const open = (peer: Peer) => {
      const { addressKey } = applicant;
      if (elsewhere !== undefined) this.#options.replaced?.(elsewhere, { addressKey, user: identity.user });
      this.#open(request, peer, former);
    };
    this.admit(request, open, elsewhere);
  }

  /**
   * A client continues on another node. Ends its session if that is here, and returns whether it was: also one that had
   * continued the same session, and whose response was lost.
   */
  replaced(session: string, { addressKey, user }: Holder): boolean {
    const former = this.#continuedFrom(session)?.session;
    if (former === undefined || former.isClosed || former.peer.addressKey !== addressKey) return false;
    if (former.shownUser !== user) return false;
    former.end('going_away');
    return true;
  }

  #open(request: IdentifiedRequest, peer: Peer, formerSession: string | undefined): void {
    const { asked, start } = request;
    const connection = new PollConnection(this.#shared, {
      acknowledges: saysWhatItHad(asked, peer) ? 'by request' : 'by receipt',
      subscriptions: start.subscriptionsKey,
      formerSession,
    });
    connection.open(this.#poll(request, connection));
    const session = this.open(request, peer, connection);
    this.#connections.set(session.id, connection);
    if (formerSession !== undefined) this.#byFormer.set(formerSession, connection);
    peer.seat.name?.(session.id);
    this.subscribe(request, session, connection, (results) => {
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results });
      connection.begin(session, start.continuation !== undefined, results);
    });
  }

  /** The poll for its connection. Its time-out starts. */
  #poll({ exchange, asked, origin }: IdentifiedRequest, connection: PollConnection): Poll {
    const { timeoutSeconds, text } = asked;
    const poll: Poll = {
      respond: ({ frames, cursor }) => {
        clearTimeout(timer);
        const response = this.#options.withCors(pollResponse(frames, cursor ?? text), origin);
        exchange.respond(response, connection.session?.lastingAccount ?? '');
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

  protected override refusal(error: SluiceError): ApiResponse {
    return errorResponse(error);
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
  for (const frame of frames) {
    if (parts.length > 1) parts.push(comma);
    parts.push(frame);
  }
  parts.push(utf8.encode(`],"cursor":${JSON.stringify(cursor)}}`));
  const response = jsonText(200, concatBytes(parts));
  return { ...response, headers: { ...response.headers, ...header } };
}
