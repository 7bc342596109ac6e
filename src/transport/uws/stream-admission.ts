import type { HttpResponse } from 'uWebSockets.js';
import type { ReadApplicant } from '../../api/applicant.ts';
import type { RequestHead } from '../../api/http.ts';
import {
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
import type { Metrics } from '../../metrics.ts';
import type { SubscribeResult } from '../../protocol/frames.ts';
import type { Admission, Applicant } from '../../sessions/admission.ts';
import type { ByteCharges } from '../../sessions/charges.ts';
import type { Departing } from '../../sessions/departure.ts';
import { type Peer, shownUserOf } from '../../sessions/peer.ts';
import { RequestBody } from './request-body.ts';
import type { RequestTurn } from './request-turn.ts';

export interface StreamAdmissionOptions {
  readonly readApplicant: ReadApplicant;
  readonly admission: Admission;
  /** Bodies that have not come to their end yet. */
  readonly incoming: ByteCharges;
  readonly bodyMaxBytes: number;
  readonly turn: RequestTurn;
  readonly metrics: Pick<Metrics, 'connectionsRejectedTotal'>;
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
  readonly read: () => StreamRequest | SluiceError;
  /** Whether it continues a session that exists; undefined: not known before the body has been read. */
  readonly continues: boolean | undefined;
}

/** Receives the outcome of a request. */
export interface RequestOutcome extends Departing {
  onAborted(run: () => void): void;
  /** Whether it continues a session that exists, which is charged for it: no handshake is taken. Absent: never. */
  continues?(applicant: Applicant, asked: StreamRequest): boolean;
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
    const { readApplicant, admission } = this.#options;
    const lastEventId = head.header('last-event-id');
    const applicant = readApplicant(head, 'http');
    if (applicant instanceof SluiceError) {
      outcome.refuse(applicant);
      return;
    }
    if (head.method !== 'POST') {
      const asked = readStreamQuery(shapes.query, head.query, lastEventId);
      const continues = goesOn(outcome, applicant, asked);
      const problem = continues ? undefined : admission.ask(applicant);
      if (problem !== undefined) outcome.refuse(problem);
      else void this.#identify({ applicant, read: () => asked, continues }, outcome);
      return;
    }
    const problem =
      outcome.continues === undefined ? admission.ask(applicant) : admission.askForBody(applicant);
    if (problem !== undefined) {
      outcome.refuse(problem);
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
      return this.#identify({ applicant, read, continues: undefined }, outcome);
    });
    outcome.onAborted(() => body.drop());
  }

  /** Reads the list of subscriptions only once the client is known, because a long one takes a while. */
  #identify({ applicant, read, continues: known }: Unread, outcome: RequestOutcome): Awaitable<void> {
    const { admission } = this.#options;
    return whenDone(admission.identify(applicant, 'http'), (verdict) => {
      if (outcome.isOver) return;
      const isKnown = !isUnauthenticated(verdict) || isLeftToApplication(admission, applicant, verdict);
      const identity = isKnown ? verdict : credentialNeeded();
      const asked = identity instanceof SluiceError ? identity : read();
      if (identity instanceof SluiceError || asked instanceof SluiceError) {
        outcome.refuse(asked as SluiceError);
        return;
      }
      const continues = known ?? goesOn(outcome, applicant, asked);
      if (continues && known === undefined) admission.hasConnection(applicant);
      const admit = (former?: string) =>
        (continues ? admission.ask(applicant) : undefined) ??
        whenDone(admission.admit(applicant, identity, outcome, former), authenticated);
      outcome.accept({ applicant, asked, identity, admit });
    });
  }
}

function goesOn(outcome: RequestOutcome, applicant: Applicant, asked: StreamRequest | SluiceError): boolean {
  return !(asked instanceof SluiceError) && outcome.continues?.(applicant, asked) === true;
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
