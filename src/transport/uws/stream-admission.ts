import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { ReadApplicant } from '../../api/applicant.ts';
import type { RequestHead } from '../../api/http.ts';
import {
  formerOfQuery,
  type pollBody,
  type pollQuery,
  readStreamBody,
  readStreamQuery,
  type StreamRequest,
  type sseBody,
  type sseQuery,
} from '../../api/stream-request.ts';
import { type Awaitable, whenDone } from '../../awaitable.ts';
import { credentialNeeded, type ErrorCode, SluiceError } from '../../errors.ts';
import type { SubscribeResult } from '../../protocol/frames.ts';
import { mediaType } from '../../protocol/media-type.ts';
import { type Admission, type Applicant, chargedAccount } from '../../sessions/admission/admission.ts';
import { type Peer, shownUserOf } from '../../sessions/peer.ts';
import {
  formerSessionOf,
  hasPattern,
  type StreamStart,
  streamStart,
} from '../../sessions/subscriptions/stream-start.ts';
import type { Exchange, ExchangeOptions } from './exchange.ts';
import { openExchange } from './open-exchange.ts';
import { type BodyOptions, RequestBody } from './request-body.ts';
import type { SocketKind } from './request-head.ts';
import type { StreamReads } from './stream-reads.ts';

export interface StreamAdmissionOptions extends BodyOptions, ExchangeOptions {
  readonly readApplicant: ReadApplicant;
  readonly admission: Admission;
  readonly bodyMaxBytes: number;
  readonly reads: StreamReads;
}

/** A request for a stream or a poll, from its arrival until it is answered. */
export interface StreamExchange {
  readonly response: HttpResponse;
  readonly exchange: Exchange;
  readonly origin: string;
  readonly startedAtMs: number;
}

/**
 * A request that was read and whose client is known. `admit` takes the place of a new connection; `former`: the id of
 * the session that it replaces, whose place it takes over. One for patterns, which take long, is refused while its
 * client has no time left.
 */
export interface IdentifiedRequest extends StreamExchange {
  readonly applicant: Applicant;
  readonly asked: StreamRequest;
  readonly start: StreamStart;
  readonly identity: Peer['identity'];
  admit(former?: string): Awaitable<Peer | SluiceError>;
  /** Runs a part of what the request asks for, and charges the client for the time. */
  readonly timed: (run: () => void) => void;
}

/** A request whose client is not known yet. */
interface Unread {
  readonly applicant: Applicant;
  /** Characters or bytes that `read` reads. */
  readonly length: number;
  readonly read: () => StreamRequest | SluiceError;
  /** It is known to continue a session that exists; else that is known when it has been read. */
  readonly continues: boolean;
}

/** What a route does with its requests. */
export interface StreamRoute {
  /** The allowed shapes of its requests. */
  readonly shapes: {
    readonly query: typeof sseQuery | typeof pollQuery;
    readonly body: typeof sseBody | typeof pollBody;
  };
  /** Whether this session exists and is charged for the request: no handshake is taken. Absent: never. */
  continues?(applicant: Applicant, former: string): boolean;
  accept(request: IdentifiedRequest): void;
  refuse(request: StreamExchange, error: SluiceError): void;
}

/** Reads requests for streams and polls, by GET or by POST, and admits or refuses their clients. */
export class StreamAdmission {
  readonly #options: StreamAdmissionOptions;
  readonly #route: StreamRoute;

  constructor(options: StreamAdmissionOptions, route: StreamRoute) {
    this.#options = options;
    this.#route = route;
  }

  /** Calls `accept` or `refuse` of the route once, unless the client is gone before. */
  receive(response: HttpResponse, request: HttpRequest, kind: SocketKind): void {
    const startedAtMs = this.#options.monotonicMs();
    const received = openExchange(response, request, kind, this.#options);
    if (received === undefined) return;
    const { head, exchange } = received;
    this.#receive(head, { response, exchange, origin: head.header('origin'), startedAtMs });
  }

  #receive(head: RequestHead, request: StreamExchange): void {
    const { shapes } = this.#route;
    const lastEventId = head.header('last-event-id');
    const applicant = this.#options.readApplicant(head, 'http');
    if (applicant instanceof SluiceError) {
      this.#route.refuse(request, applicant);
      return;
    }
    const { query, method } = head;
    const isPost = method === 'POST';
    const continues = !isPost && this.#goesOn(applicant, formerOfQuery(query, lastEventId));
    const problem = continues ? undefined : this.#ask(applicant);
    if (problem !== undefined) {
      this.#route.refuse(request, problem);
      return;
    }
    if (!isPost) {
      const read = () => readStreamQuery(shapes.query, query, lastEventId);
      void this.#identify({ applicant, length: query.length, read, continues }, request);
      return;
    }
    if (mediaType(head.header('content-type')) !== 'application/json') {
      const error = new SluiceError('unsupported_media_type', 'the Content-Type must be application/json');
      this.#route.refuse(request, error);
      return;
    }
    const { bodyMaxBytes } = this.#options;
    const { account } = applicant;
    const body = new RequestBody(request.response, this.#options, { bodyMaxBytes, account }, (bytes) => {
      const read = () =>
        bytes instanceof SluiceError ? bytes : readStreamBody(shapes.body, bytes, lastEventId);
      const length = bytes instanceof SluiceError ? 0 : bytes.length;
      return this.#identify({ applicant, length, read, continues: false }, request);
    });
    request.exchange.onAborted(() => body.drop());
  }

  #ask(applicant: Applicant): SluiceError | undefined {
    const { admission } = this.#options;
    return this.#route.continues === undefined ? admission.ask(applicant) : admission.askToRead(applicant);
  }

  #goesOn(applicant: Applicant, former: string | undefined): boolean {
    return former !== undefined && this.#route.continues?.(applicant, former) === true;
  }

  /**
   * Reads the list of subscriptions only once the client is known, because a long one takes a while. Resolves when it
   * has been read.
   */
  #identify(unread: Unread, request: StreamExchange): Awaitable<void> {
    const { admission, reads } = this.#options;
    const { applicant, length } = unread;
    return whenDone(admission.identify(applicant, 'http'), (verdict) => {
      if (request.exchange.isOver) return undefined;
      const isKnown = !isUnauthenticated(verdict) || isLeftToApplication(admission, applicant, verdict);
      const identity = isKnown ? verdict : credentialNeeded();
      if (identity instanceof SluiceError) {
        this.#route.refuse(request, identity);
        return undefined;
      }
      return reads.run(length, chargedAccount(applicant, identity), (late) => {
        if (!request.exchange.isOver) this.#read(unread, identity, request, late);
      });
    });
  }

  /** `late`: the client has no time left for it. */
  #read(
    { applicant, read, continues: isKnown }: Unread,
    identity: Peer['identity'],
    request: StreamExchange,
    late: SluiceError | undefined,
  ): void {
    const { admission, reads } = this.#options;
    const asked = late ?? read();
    if (asked instanceof SluiceError) {
      this.#route.refuse(request, asked);
      return;
    }
    const continues = isKnown || this.#goesOn(applicant, formerSessionOf(asked));
    if (continues && !isKnown) admission.hasConnection(applicant);
    const account = chargedAccount(applicant, identity);
    const admit = (former?: string) =>
      (hasPattern(asked.subscriptions) ? reads.refusal(account) : undefined) ??
      (continues ? admission.ask(applicant) : undefined) ??
      whenDone(admission.admit(applicant, identity, request.exchange, former), authenticated);
    const timed = (run: () => void) => reads.timed(account, run);
    const start = streamStart(asked.subscriptions, asked.cursor);
    this.#route.accept({ ...request, applicant, asked, start, identity, admit, timed });
  }
}

function isUnauthenticated(verdict: Peer['identity'] | SluiceError): boolean {
  return !(verdict instanceof SluiceError) && verdict.unauthenticated === true;
}

function isLeftToApplication(
  admission: Admission,
  applicant: Applicant,
  verdict: Peer['identity'] | SluiceError,
): boolean {
  return !(verdict instanceof SluiceError) && admission.asksAbout(applicant, verdict);
}

/** Refuses a client that is still unauthenticated: a stream has no command to show a credential later. */
function authenticated(peer: Peer | SluiceError): Peer | SluiceError {
  if (peer instanceof SluiceError || peer.identity.unauthenticated !== true) return peer;
  peer.seat.leave();
  return credentialNeeded();
}

/** Whether the client acknowledges by requests; these must show the same user as the session. */
export function saysWhatItHad({ acks }: StreamRequest, peer: Peer): boolean {
  return acks && shownUserOf(peer) !== undefined;
}

/**
 * The results, or the error if every subscription was refused, and there is nothing to stream. One that may be granted
 * later comes first.
 */
export function grantedOf(
  results: readonly SubscribeResult[] | SluiceError,
): readonly SubscribeResult[] | SluiceError {
  if (results instanceof SluiceError) return results;
  const refused = results.flatMap((result) => ('error' in result ? [result.error] : []));
  if (refused.length === 0 || refused.length < results.length) return results;
  const { code, message, retryAfterMs } = refused.find(({ retry }) => retry) ?? refused[0]!;
  return new SluiceError(code as ErrorCode, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
