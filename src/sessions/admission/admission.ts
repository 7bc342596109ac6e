import { type Credentials, needsCredentials, type Verdict } from '../../auth/credentials.ts';
import { type Identity, isOperator } from '../../auth/identity.ts';
import { accountOf } from '../../auth/payer.ts';
import type { Door, ReportRefusal, Requester } from '../../auth/refusals.ts';
import { type Awaitable, whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { Application } from '../application.ts';
import type { Departing } from '../departure.ts';
import type { Peer } from '../peer.ts';
import type { Holder } from './connection-caps.ts';
import type { ConnectionLimits } from './connection-limits.ts';

/** A client that asks for a connection, as a transport has read its request. A copy: the request may be gone. */
export interface Applicant extends Requester {
  /** The address, as connections are counted by it. */
  readonly addressKey: string;
  /** The account of the address, charged for what is held before the client is known. */
  readonly account: string;
  /** Empty: none. */
  readonly credential: string;
  /** Its identity, if it shows no credential. */
  readonly fallback: Identity;
  /** The identity that it connects with, or why it may not; absent: its own. */
  readonly adopt?: (identity: Identity) => Verdict;
  /** Headers of the request, for the application; absent: none. */
  readonly told?: Readonly<Record<string, string>> | undefined;
}

export interface AdmissionOptions {
  readonly credentials: Credentials;
  readonly connectionLimits: Pick<ConnectionLimits, 'handshakeProblem' | 'outlook' | 'problem' | 'take'> &
    Pick<ConnectionLimits, 'giveBackHandshake' | 'rateProblem'>;
  /** Why an identity is not admitted any more. */
  readonly refusal: (identity: Identity) => SluiceError | undefined;
  readonly isDraining: () => boolean;
  /** Milliseconds after which a client that comes during the drain may retry; different for each call. */
  readonly afterDrainMs: () => number;
  readonly refused: ReportRefusal;
  /** Its hook decides on each connection. Absent: there is none. */
  readonly application?: Pick<Application, 'connect'>;
}

/**
 * Decides which clients get a connection, whatever the transport: while the gateway runs, within the limits, by their
 * credentials. A transport calls `ask`, then `identify`, then `admit`; `Sessions.close` gives the peer's seat back.
 * `inquire` serves a client that only asks whether it may connect.
 */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Takes a handshake from the bucket of its address. Returns the refusal; undefined: call `identify` next. */
  ask(applicant: Applicant): SluiceError | undefined {
    const { connectionLimits } = this.#options;
    const problem =
      this.#drainingProblem() ?? connectionLimits.handshakeProblem(holderOf(applicant, applicant.fallback));
    return problem && this.#limited(problem, applicant);
  }

  /**
   * As `ask`, for a request of which it is known only after reading it whether its client has a connection already.
   * Checks no caps, which `admit` does; `hasConnection` gives the handshake back.
   */
  askToRead(applicant: Applicant): SluiceError | undefined {
    const { connectionLimits } = this.#options;
    const problem =
      this.#drainingProblem() ?? connectionLimits.rateProblem(holderOf(applicant, applicant.fallback));
    return problem && this.#limited(problem, applicant);
  }

  hasConnection(applicant: Applicant): void {
    this.#options.connectionLimits.giveBackHandshake(holderOf(applicant, applicant.fallback));
  }

  /** Verifies the credential. `door`: where the request came in, for the log. Never rejects. */
  identify(applicant: Applicant, door: Door): Verdict | Promise<Verdict> {
    return whenDone(this.#identify(applicant), (verdict) => {
      if (verdict instanceof SluiceError) this.#options.refused(door, verdict, applicant);
      return verdict;
    });
  }

  /**
   * Takes the place, as the last step that can fail: others may have come while the credential was verified. `former`:
   * the id of the session that this one replaces. Gives the place back where the client has gone meanwhile, or is not
   * admitted any more: its token was revoked, or the configuration has changed.
   */
  admit(
    applicant: Applicant,
    identity: Identity,
    client: Departing,
    former?: string,
  ): Awaitable<Peer | SluiceError> {
    return whenDone(this.#seated(applicant, identity, client, former), (peer) => {
      if (peer instanceof SluiceError) return peer;
      const refused = this.#options.refusal(peer.identity);
      if (refused === undefined) return peer;
      peer.seat.leave();
      return this.#limited(refused, applicant, peer.identity);
    });
  }

  #seated(
    applicant: Applicant,
    identity: Identity,
    client: Departing,
    former: string | undefined,
  ): Awaitable<Peer | SluiceError> {
    const { address, addressKey } = applicant;
    const draining = this.#drainingProblem();
    if (draining !== undefined) return draining;
    const seating = this.#options.connectionLimits.take(holderOf({ addressKey }, identity), former);
    return whenDone(seating, (seat) => {
      if (seat instanceof SluiceError) return this.#limited(seat, applicant, identity);
      if (client.isOver) return withoutClient(seat);
      const peer = { identity, address, addressKey, seat };
      return this.asksAbout(applicant, identity) ? this.#decide(applicant, peer, client) : peer;
    });
  }

  /**
   * Whether the application is asked about this client. One that still has to show a credential is asked about once it
   * has shown it, unless its request has headers for the application.
   */
  asksAbout({ told }: Applicant, { unauthenticated }: Identity): boolean {
    if (this.#options.application?.connect === undefined) return false;
    return unauthenticated !== true || (told !== undefined && Object.keys(told).length > 0);
  }

  /** The client holds its place while the application is asked, so the caps bound the number of questions. */
  #decide(applicant: Applicant, peer: Peer, client: Departing): Awaitable<Peer | SluiceError> {
    const { seat, identity: shown, addressKey } = peer;
    const refuse = (error: SluiceError) => {
      seat.leave();
      return error;
    };
    return whenDone(this.#askApplication(applicant, shown, client), (identity) => {
      if (identity instanceof SluiceError) return refuse(identity);
      if (client.isOver) return withoutClient(seat);
      if (identity === shown) return peer;
      return whenDone(seat.move(holderOf({ addressKey }, identity)), (problem) => {
        if (problem !== undefined) return refuse(this.#limited(problem, applicant, identity));
        return client.isOver ? withoutClient(seat) : { ...peer, identity, shown, told: applicant.told };
      });
    });
  }

  /** The log names who meets a limit. Returns the error. */
  #limited(error: SluiceError, applicant: Applicant, { user, apiKey }: Partial<Identity> = {}): SluiceError {
    this.#options.refused('connection', error, { ...applicant, user, key: apiKey });
    return error;
  }

  #askApplication(
    { address, origin, account, told = {} }: Applicant,
    identity: Identity,
    client: Departing,
  ): Awaitable<Identity | SluiceError> {
    const connect = this.#options.application?.connect;
    const payer = { account, isVerified: false };
    const asker = { identity, address, payer, onGone: (run: () => void) => client.onGone(run) };
    return connect === undefined ? identity : connect(asker, { reason: 'open', origin, headers: told });
  }

  /** Returns why the client may not connect; undefined: it may. Takes nothing, and never rejects. */
  inquire(
    applicant: Applicant,
    client: Departing,
  ): SluiceError | undefined | Promise<SluiceError | undefined> {
    const { connectionLimits } = this.#options;
    const { fallback } = applicant;
    const problem = this.#drainingProblem() ?? connectionLimits.outlook(holderOf(applicant, fallback));
    if (problem !== undefined) return problem;
    return whenDone(this.#identify(applicant), (identity) => {
      if (identity instanceof SluiceError) return identity;
      const full = this.#drainingProblem() ?? connectionLimits.problem(holderOf(applicant, identity));
      if (full !== undefined || !this.asksAbout(applicant, identity)) return full;
      return whenDone(this.#askApplication(applicant, identity, client), (verdict) =>
        verdict instanceof SluiceError ? verdict : undefined,
      );
    });
  }

  #identify(applicant: Applicant): Verdict | Promise<Verdict> {
    const { adopt } = applicant;
    if (adopt === undefined) return this.#verify(applicant);
    return whenDone(this.#verify(applicant), (verdict) =>
      verdict instanceof SluiceError ? verdict : adopt(verdict),
    );
  }

  #verify({ credential, fallback }: Applicant): Verdict | Promise<Verdict> {
    const { credentials } = this.#options;
    // A gateway that needs no credentials can't verify one, and lets the client in without it.
    if (credential === '' || !needsCredentials(credentials)) return fallback;
    return credentials.identify(credential);
  }

  #drainingProblem(): SluiceError | undefined {
    const { isDraining, afterDrainMs } = this.#options;
    if (!isDraining()) return undefined;
    return new SluiceError('shutting_down', undefined, { retryAfterMs: afterDrainMs() });
  }
}

/** The account that pays for the time that the request of this client takes; undefined: it is an operator's. */
export function chargedAccount({ account }: Applicant, identity: Identity): string | undefined {
  return isOperator(identity) ? undefined : (accountOf(identity) ?? account);
}

/** A client that shows a credential does not count as unauthenticated, even before the credential is verified. */
function holderOf(
  { addressKey, credential = '' }: Pick<Applicant, 'addressKey'> & Partial<Pick<Applicant, 'credential'>>,
  { user, unauthenticated }: Identity,
): Holder {
  return { addressKey, user, unauthenticated: credential === '' && unauthenticated };
}

function withoutClient(seat: Peer['seat']): SluiceError {
  seat.leave();
  return new SluiceError('shutting_down', 'the client is gone');
}
