import type { HttpResponse } from 'uWebSockets.js';
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
import { type ErrorCode, SluiceError } from '../../errors.ts';
import type { SubscribeResult } from '../../protocol/frames.ts';
import { type Admission, type Applicant, chargedAccount } from '../../sessions/admission.ts';
import type { Departing } from '../../sessions/departure.ts';
import { type Peer, shownUserOf } from '../../sessions/peer.ts';
import { formerSessionOf } from '../../sessions/stream-start.ts';
import { type BodyOptions, RequestBody } from './request-body.ts';
import type { StreamReads } from './stream-reads.ts';

export interface StreamAdmissionOptions extends BodyOptions {
  readonly readApplicant: ReadApplicant;
  readonly admission: Admission;
  readonly bodyMaxBytes: number;
  readonly reads: StreamReads;
}

/** The allowed shapes of a route's requests. */
export interface StreamShapes {
  readonly query: typeof sseQuery | typeof pollQuery;
  readonly body: typeof sseBody | typeof pollBody;
}

/**
 * A request that was read and whose client is known. `admit` takes the place of a new connection; `former`: the id of
 * the session that it replaces, whose place it takes over.
 */
export interface IdentifiedRequest {
  readonly applicant: Applicant;
  readonly asked: StreamRequest;
  readonly identity: Peer['identity'];
  admit(former?: string): Awaitable<Peer | SluiceError>;
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

/** Receives the outcome of a request. */
export interface RequestOutcome extends Departing {
  onAborted(run: () => void): void;
  /** Whether this session exists and is charged for the request: no handshake is taken. Absent: never. */
  continues?(applicant: Applicant, former: string): boolean;
  accept(identified: IdentifiedRequest): void;
  refuse(error: SluiceError): void;
}

/** Reads requests for streams and polls, by GET or by POST, and admits or refuses their clients. */
export class StreamAdmission {
  readonly #options: StreamAdmissionOptions;

  constructor(options: StreamAdmissionOptions) {
    this.#options = options;
  }

  /** Calls `accept` or `refuse` of `outcome` once, unless the client is gone before. */
  receive(response: HttpResponse, head: RequestHead, shapes: StreamShapes, outcome: RequestOutcome): void {
    const { readApplicant } = this.#options;
    const lastEventId = head.header('last-event-id');
    const applicant = readApplicant(head, 'http');
    if (applicant instanceof SluiceError) {
      outcome.refuse(applicant);
      return;
    }
    const { query, method } = head;
    const isPost = method === 'POST';
    const continues = !isPost && goesOn(outcome, applicant, formerOfQuery(query, lastEventId));
    const problem = continues ? undefined : this.#ask(applicant, outcome);
    if (problem !== undefined) {
      outcome.refuse(problem);
      return;
    }
    if (!isPost) {
      const read = () => readStreamQuery(shapes.query, query, lastEventId);
      void this.#identify({ applicant, length: query.length, read, continues }, outcome);
      return;
    }
    if (!isJson(head.header('content-type'))) {
      outcome.refuse(new SluiceError('unsupported_media_type', 'the Content-Type must be application/json'));
      return;
    }
    const { bodyMaxBytes } = this.#options;
    const { account } = applicant;
    const body = new RequestBody(response, this.#options, { bodyMaxBytes, account }, (bytes) => {
      const read = () =>
        bytes instanceof SluiceError ? bytes : readStreamBody(shapes.body, bytes, lastEventId);
      const length = bytes instanceof SluiceError ? 0 : bytes.length;
      return this.#identify({ applicant, length, read, continues: false }, outcome);
    });
    outcome.onAborted(() => body.drop());
  }

  #ask(applicant: Applicant, outcome: RequestOutcome): SluiceError | undefined {
    const { admission } = this.#options;
    return outcome.continues === undefined ? admission.ask(applicant) : admission.askToRead(applicant);
  }

  /**
   * Reads the list of subscriptions only once the client is known, because a long one takes a while. Resolves when it
   * has been read.
   */
  #identify(unread: Unread, outcome: RequestOutcome): Awaitable<void> {
    const { admission, reads } = this.#options;
    const { applicant, length } = unread;
    return whenDone(admission.identify(applicant, 'http'), (verdict) => {
      if (outcome.isOver) return undefined;
      const isKnown = !isUnauthenticated(verdict) || isLeftToApplication(admission, applicant, verdict);
      const identity = isKnown ? verdict : credentialNeeded();
      if (identity instanceof SluiceError) {
        outcome.refuse(identity);
        return undefined;
      }
      return reads.run(length, chargedAccount(applicant, identity), (late) => {
        if (!outcome.isOver) this.#read(unread, identity, outcome, late);
      });
    });
  }

  /** `late`: the client has no time left for it. */
  #read(
    { applicant, read, continues: isKnown }: Unread,
    identity: Peer['identity'],
    outcome: RequestOutcome,
    late: SluiceError | undefined,
  ): void {
    const { admission } = this.#options;
    const asked = late ?? read();
    if (asked instanceof SluiceError) {
      outcome.refuse(asked);
      return;
    }
    const continues = isKnown || goesOn(outcome, applicant, formerSessionOf(asked));
    if (continues && !isKnown) admission.hasConnection(applicant);
    const admit = (former?: string) =>
      (continues ? admission.ask(applicant) : undefined) ??
      whenDone(admission.admit(applicant, identity, outcome, former), authenticated);
    outcome.accept({ applicant, asked, identity, admit });
  }
}

function goesOn(outcome: RequestOutcome, applicant: Applicant, former: string | undefined): boolean {
  return former !== undefined && outcome.continues?.(applicant, former) === true;
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

function credentialNeeded(): SluiceError {
  return new SluiceError('unauthorized', 'a token or an API key is needed');
}

function isJson(contentType: string): boolean {
  return contentType.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}

/** Whether the client acknowledges by requests; these must show the same user as the session. */
export function saysWhatItHad({ acks }: StreamRequest, peer: Peer): boolean {
  return acks && shownUserOf(peer) !== undefined;
}

/**
 * The error if every subscription was refused, and there is nothing to stream. One that may be granted later comes
 * first.
 */
export function refusalOf(results: readonly SubscribeResult[] | SluiceError): SluiceError | undefined {
  if (results instanceof SluiceError) return results;
  const refused = results.flatMap((result) => ('error' in result ? [result.error] : []));
  if (refused.length === 0 || refused.length < results.length) return undefined;
  const { code, message, retryAfterMs } = refused.find(({ retry }) => retry) ?? refused[0]!;
  return new SluiceError(code as ErrorCode, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
