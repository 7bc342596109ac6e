import type { HttpRequest, HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import type { ReadApplicant } from '../../api/applicant.ts';
import { type ApiResponse, errorResponse, forMethod, type RequestHead } from '../../api/http.ts';
import type { RequestRates } from '../../api/request-rates.ts';
import { whenDone } from '../../awaitable.ts';
import { type ErrorCode, SluiceError } from '../../errors.ts';
import type { Admission, Applicant } from '../../sessions/admission/admission.ts';
import type { Peer } from '../../sessions/peer.ts';
import { handshakeProblem, readWebSocketRequest, type WebSocketRequest } from '../websocket-request.ts';
import type { SocketData } from './connection.ts';
import type { Exchange, ExchangeOptions } from './exchange.ts';
import { openExchange } from './open-exchange.ts';
import { countRefusal, type RefusalMetrics } from './refusals.ts';
import type { SocketKind } from './request-head.ts';

/** What the request for a WebSocket asks for, or what is wrong with it. */
export type ReadWebSocketRequest = (head: RequestHead) => WebSocketRequest | SluiceError;

export interface UpgradeOptions extends ExchangeOptions {
  readonly readApplicant: ReadApplicant;
  readonly admission: Admission;
  /** Lets pages of listed origins read a response. */
  readonly withCors: (response: ApiResponse, origin: string) => ApiResponse;
  readonly metrics: RefusalMetrics;
  /** How often clients may ask whether they may connect. */
  readonly rates: RequestRates;
  /** Any WebSocket that is open, or else what may be corked in its place. */
  readonly openSocket: () => Corkable | undefined;
}

/** Something of the library, on this event loop. */
export interface Corkable {
  cork(run: () => void): unknown;
}

/** Upgrades HTTP requests to WebSockets, where the client is admitted. */
export class UpgradeHandler {
  readonly #options: UpgradeOptions;

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  /** `read`: what a request of this path asks for. */
  upgrade(
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
    kind: SocketKind,
    read: ReadWebSocketRequest,
  ): void {
    const { admission, monotonicMs, turn } = this.#options;
    const startedAtMs = monotonicMs();
    const received = openExchange(response, request, kind, this.#options);
    if (received === undefined) return;
    const { head, exchange } = received;
    const applicant = this.#applicant(head);
    const asked = applicant instanceof SluiceError ? applicant : (handshakeProblem(head) ?? read(head));
    if (applicant instanceof SluiceError || asked instanceof SluiceError) {
      this.#refuse(exchange, asked as SluiceError);
      return;
    }
    const { codec, topic, joins, subprotocol } = asked;
    const adopting = adoptingFor(applicant, asked);
    const key = head.header('sec-websocket-key');
    const extensions = head.header('sec-websocket-extensions');
    let isLater = false;
    const proceed = (identity: Awaited<ReturnType<Admission['identify']>>) => {
      if (exchange.isOver) return undefined;
      if (identity instanceof SluiceError) return refuseOrOpen(identity);
      return whenDone(admission.admit(adopting, identity, exchange), refuseOrOpen);
    };
    const refuseOrOpen = (peer: Peer | SluiceError) => {
      if (exchange.isOver) return;
      if (peer instanceof SluiceError) {
        this.#refuse(exchange, peer);
        return;
      }
      const opened = joins === undefined ? peer : { ...peer, joins };
      const data: SocketData = {
        opening: { peer: opened, codec, topic, startedAtMs },
        connection: undefined,
      };
      exchange.upgraded();
      const upgrade = () => response.upgrade(data, key, subprotocol, extensions, context);
      if (isLater) this.#upgradeLater(response, upgrade);
      else upgrade();
    };
    const identify = () => {
      if (!exchange.isOver) void whenDone(admission.identify(adopting, 'upgrade'), proceed);
    };
    turn.count();
    // Continues in this turn where possible: in a later turn the library writes the head of an upgrade line by line.
    // Of a storm of handshakes, which the library brings by the thousand in a turn, most must wait.
    if (turn.isLong) turn.later(identify);
    else identify();
    isLater = true;
  }

  /**
   * An upgrade in a later turn, with a workaround for a fault of the library. After the cork of a response the library
   * reads its state, which an upgrade has freed. If that memory then says `Connection: close`, the library closes the
   * new WebSocket: one of some thousands, in some processes all. It does not cork while another socket is corked.
   * Outside of all corks it only prints a warning.
   */
  #upgradeLater(response: HttpResponse, upgrade: () => void): void {
    const other = this.#options.openSocket();
    if (other === undefined) upgrade();
    else other.cork(() => response.cork(upgrade));
  }

  /**
   * A request that the library does not take for a handshake: says what is wrong with it if it is one, and else
   * whether, and if not why not, a client may connect.
   * Browsers tell a page nothing of a refused upgrade, so pages of listed origins may read this.
   */
  explain(
    response: HttpResponse,
    request: HttpRequest,
    kind: SocketKind,
    read: ReadWebSocketRequest = readWebSocketRequest,
  ): void {
    const { readApplicant, admission, rates, withCors } = this.#options;
    const received = openExchange(response, request, kind, this.#options);
    if (received === undefined) return;
    const { head, exchange } = received;
    const origin = head.header('origin');
    const { method } = head;
    const responseTo = (error = new SluiceError('upgrade_required')) =>
      forMethod(method, withCors(refusal(error), origin));
    const respond = (response: ApiResponse) => exchange.respond(response, noPayer);
    if (method !== 'GET' && method !== 'HEAD') {
      const problem = `this route allows ${methods}, and is for WebSockets`;
      respond(responseTo(new SluiceError('method_not_allowed', problem)));
      return;
    }
    const applicant = readApplicant(head);
    const wrong = head.header('upgrade') === '' ? undefined : handshakeProblem(head);
    const asked = applicant instanceof SluiceError ? applicant : (wrong ?? read(head));
    if (applicant instanceof SluiceError || asked instanceof SluiceError) {
      respond(responseTo(asked as SluiceError));
      return;
    }
    // A question takes no handshake, but may have a token to be verified, and the application to be asked.
    const { account } = applicant;
    const limited = rates.problem(head, account, undefined);
    if (limited !== undefined) respond(responseTo(limited));
    else {
      const adopting = adoptingFor(applicant, asked);
      const work = () => whenDone(admission.inquire(adopting, exchange), responseTo);
      void whenDone(rates.charged(account, work), respond);
    }
  }

  /** The client, which has taken a handshake of its address; or why it may not connect. */
  #applicant(head: RequestHead): Applicant | SluiceError {
    const { readApplicant, admission } = this.#options;
    const applicant = readApplicant(head, 'upgrade');
    return applicant instanceof SluiceError ? applicant : (admission.ask(applicant) ?? applicant);
  }

  #refuse(exchange: Exchange, error: SluiceError): void {
    countRefusal(this.#options.metrics, error);
    exchange.respond(refusal(error), noPayer);
  }
}

function adoptingFor(applicant: Applicant, { adopt }: WebSocketRequest): Applicant {
  return adopt === undefined ? applicant : { ...applicant, adopt };
}

/**
 * Refusals are small, so the account for unread responses is never charged: the socket takes them, or the connection
 * ends.
 */
const noPayer = 'refusals';

const methods = 'GET, HEAD';

/** A client that is refused by one of these codes is told what the route takes. */
const hints: Partial<Record<ErrorCode, Readonly<Record<string, string>>>> = {
  upgrade_required: { upgrade: 'websocket', 'sec-websocket-version': '13' },
  method_not_allowed: { allow: methods },
};

function refusal(error: SluiceError): ApiResponse {
  return errorResponse(error, hints[error.code]);
}
