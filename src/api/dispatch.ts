import type { Identity } from '../auth/identity.ts';
import { accountOf, addressAccount, payerOf } from '../auth/payer.ts';
import type { ReportRefusal } from '../auth/refusals.ts';
import type { Awaitable } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import { withoutByteOrderMark } from '../protocol/utf8.ts';
import { type ApiResponse, errorResponse, type RequestHead } from './http.ts';
import { type Match, matcher } from './match.ts';
import { openapiRoute } from './openapi.ts';
import type { ApiPorts } from './ports.ts';
import { type ApiRequest, type HeadOptions, type RoutedRequest, readHead } from './read-head.ts';
import { readParams, readQuery } from './request-input.ts';
import { isExempt, type RequestRateLimits, RequestRates, type RequestRatesOptions } from './request-rates.ts';
import { Responder, type ResponderOptions } from './responder.ts';
import type { Call, Route } from './route.ts';
import { routes } from './routes.ts';

export interface ApiOptions extends Omit<HeadOptions, 'failed'>, Omit<ResponderOptions, 'monotonicMs'> {
  readonly ports: ApiPorts;
  /** Besides those of every gateway. */
  readonly moreRoutes?: readonly Route[];
  /** Whether there is this route here. Absent: all are. */
  readonly serves?: (route: Route) => boolean;
  readonly metrics: ResponderOptions['metrics'] & RequestRatesOptions['metrics'];
  /** The key of the address that a request came from, as connections are counted by it. */
  readonly addressKey?: (head: RequestHead) => string;
  /** Absent: requests are not limited. */
  readonly limits?: RequestRateLimits;
  /** Hears of payers that meet the limits. */
  readonly refused?: ReportRefusal;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs?: () => number;
  /** The clock by which payers are charged for work. */
  readonly workMs?: () => number;
}

/** How the transport continues with a request whose head was read. */
export interface OpenRequest {
  /** Read at most this much of the body; 0: none. If there is more, call `finish` with the error `frame_too_large`. */
  readonly bodyMaxBytes: number;
  /** The account that is charged for the body while it arrives, and for the response while it is unread. */
  readonly account: string;
  /**
   * Present while the caller's token is verified: resolves with why the request is refused, or nothing. Never rejects.
   * The body of a refused request need not be read.
   */
  readonly refusal: Promise<SluiceError | undefined> | undefined;
  /**
   * Returns the response; never rejects. Call it once, with the whole body, which must not change after that, or with
   * the error in its place.
   */
  finish(body: Uint8Array | SluiceError): Awaitable<ApiResponse>;
}

export interface Api {
  /**
   * Reads the head: route, permission, content type. All headers are read before it returns. The body of a request that
   * is refused need not be read. `departure`: when the client leaves, what is asked for it is given up.
   */
  open(head: RequestHead, departure: Call['departure']): OpenRequest;
}

const noBody = new Uint8Array(0);
/** The label of requests that no route takes. */
const unmatched = 'unmatched';

/** Takes each request from its head to its response. */
export class Dispatcher implements Api {
  readonly #options: ApiOptions;
  readonly #match: (path: string) => Match | undefined;
  readonly #monotonicMs: () => number;
  readonly #addressKey: (head: RequestHead) => string;
  readonly #responder: Responder;
  readonly #headOptions: HeadOptions;
  /** Undefined: requests are not limited. */
  readonly #rates: RequestRates | undefined;

  constructor(options: ApiOptions) {
    const { ports, limits, refused, metrics } = options;
    const { monotonicMs = () => performance.now(), addressKey = ({ peerAddress }) => peerAddress } = options;
    const { workMs = monotonicMs } = options;
    const all = [...routes, ...(options.moreRoutes ?? [])].filter(options.serves ?? (() => true));
    this.#options = options;
    this.#match = matcher([...all, openapiRoute(all, ports.service.version)]);
    this.#monotonicMs = monotonicMs;
    this.#addressKey = addressKey;
    this.#responder = new Responder({ ...options, monotonicMs });
    this.#headOptions = { ...options, failed: (error, request) => this.#responder.failed(error, request) };
    this.#rates = limits && new RequestRates({ limits, addressKey, refused, workMs, metrics });
  }

  open(head: RequestHead, departure: Call['departure']): OpenRequest {
    const { origins, ports } = this.#options;
    const match = this.#match(head.path);
    const request: ApiRequest = {
      startMs: this.#monotonicMs(),
      method: head.method,
      // Each header that is asked for is a call into the library.
      origin: origins.hasList || head.method === 'OPTIONS' ? head.header('origin') : '',
      id: head.requestId ?? '',
      path: match?.place.path ?? unmatched,
      departure,
    };
    const readRequest = readHead(request, head, match, this.#headOptions);
    const { route, identity } = readRequest;
    const knownIdentity = identity instanceof Promise ? undefined : identity;
    // Reading the address takes as long as a tenth of a publish: it is read only where nothing else names the payer.
    const account = (knownIdentity && accountOf(knownIdentity)) ?? addressAccount(this.#addressKey(head));
    const rates = isExempt(route, knownIdentity) ? undefined : this.#rates;
    const limited = rates?.problem(head, account, knownIdentity);
    if (limited !== undefined) return this.#refused(request, account, errorResponse(limited));
    if (readRequest.refusal !== undefined) return this.#refused(request, account, readRequest.refusal);
    const respond = (body: Uint8Array | SluiceError) => this.#respond(request, readRequest, account, body);
    return {
      bodyMaxBytes: readRequest.route.body === undefined ? 0 : ports.bodyMaxBytes,
      account,
      refusal: identity instanceof Promise ? identity.then(refusalOf) : undefined,
      finish: rates === undefined ? respond : (body) => rates.charged(account, () => respond(body)),
    };
  }

  #refused(request: ApiRequest, account: string, response: ApiResponse): OpenRequest {
    const finish = () => this.#responder.completed(request, response);
    return { bodyMaxBytes: 0, account, refusal: undefined, finish };
  }

  #respond(
    request: ApiRequest,
    routed: RoutedRequest,
    account: string,
    body: Uint8Array | SluiceError,
  ): Awaitable<ApiResponse> {
    const responder = this.#responder;
    const { identity } = routed;
    try {
      if (body instanceof SluiceError) throw body;
      const response =
        identity instanceof Promise
          ? identity.then((who) => this.#handle(request, routed, account, who, body))
          : this.#handle(request, routed, account, identity, body);
      return response instanceof Promise
        ? response.then(
            (each) => responder.completed(request, each),
            (error: unknown) => responder.completed(request, responder.failed(error, request)),
          )
        : responder.completed(request, response);
    } catch (error) {
      return responder.completed(request, responder.failed(error, request));
    }
  }

  #handle(
    { departure }: ApiRequest,
    { route, params, query, contentType, ifNoneMatch, acceptEncoding }: RoutedRequest,
    account: string,
    identity: Identity | SluiceError,
    body: Uint8Array,
  ): Awaitable<ApiResponse> {
    if (identity instanceof SluiceError) throw identity;
    const call: Call = {
      params: readParams(route, params),
      query: readQuery(route, query),
      body: route.body === undefined ? noBody : withoutByteOrderMark(body),
      contentType,
      ifNoneMatch,
      acceptEncoding,
      identity,
      payer: payerOf(identity, account),
      departure,
    };
    return route.handle(call, this.#options.ports);
  }
}

function refusalOf(identity: Identity | SluiceError): SluiceError | undefined {
  return identity instanceof SluiceError ? identity : undefined;
}
