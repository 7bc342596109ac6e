import type { Identity } from '../auth/identity.ts';
import { accountOf, addressAccount, payerOf } from '../auth/payer.ts';
import type { ReportRefusal } from '../auth/refusals.ts';
import type { Awaitable } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import { withoutByteOrderMark } from '../protocol/utf8.ts';
import { type HeadStepOptions, headSteps } from './head-steps.ts';
import { type ApiResponse, errorResponse, type RequestHead } from './http.ts';
import { type Match, matcher } from './match.ts';
import { openapiRoute } from './openapi.ts';
import type { ApiPorts } from './ports.ts';
import { ApiRequest } from './request.ts';
import { readParams, readQuery } from './request-input.ts';
import { isExempt, type RequestRateLimits, RequestRates, type RequestRatesOptions } from './request-rates.ts';
import { Responder, type ResponderOptions } from './responder.ts';
import type { Route } from './route.ts';
import { routes } from './routes.ts';

export interface ApiOptions extends HeadStepOptions, Omit<ResponderOptions, 'monotonicMs'> {
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
  /** The client has left: what is asked for it is given up. May be called at any time. */
  left(): void;
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
   * is refused need not be read.
   */
  open(head: RequestHead): OpenRequest;
}

const noBody = new Uint8Array(0);

/** Takes each request from its head to its response. */
export class Dispatcher implements Api {
  readonly #options: ApiOptions;
  readonly #match: (path: string) => Match | undefined;
  readonly #monotonicMs: () => number;
  readonly #addressKey: (head: RequestHead) => string;
  readonly #responder: Responder;
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
    this.#rates = limits && new RequestRates({ limits, addressKey, refused, workMs, metrics });
  }

  open(head: RequestHead): OpenRequest {
    const { origins, ports } = this.#options;
    // Each header that is asked for is a call into the library.
    const origin = origins.hasList || head.method === 'OPTIONS' ? head.header('origin') : '';
    const request = new ApiRequest(head, this.#match(head.path), origin, this.#monotonicMs());
    const ended = this.#readHead(request, head);
    const { identity } = request;
    const known = identity instanceof Promise || identity instanceof SluiceError ? undefined : identity;
    const named = known && accountOf(known);
    // Reading the address takes as long as a tenth of a publish: it is read only where nothing else names the payer.
    const account = named ?? addressAccount(this.#addressKey(head));
    const rates = isExempt(request.route, known) ? undefined : this.#rates;
    const limited = rates?.problem(head, account, known);
    const response = limited === undefined ? ended : errorResponse(limited);
    const hasBody = response === undefined && request.foundRoute().body !== undefined;
    return {
      left: () => request.left(),
      bodyMaxBytes: hasBody ? ports.bodyMaxBytes : 0,
      account,
      refusal: response === undefined && identity instanceof Promise ? identity.then(refusalOf) : undefined,
      finish: (body) => {
        if (response !== undefined) return this.#responder.completed(request, response);
        if (rates === undefined) return this.#finish(request, account, body);
        return rates.charged(account, () => this.#finish(request, account, body));
      },
    };
  }

  #readHead(request: ApiRequest, head: RequestHead): ApiResponse | undefined {
    for (const step of headSteps) {
      const response = step(request, head, this.#options);
      if (response !== undefined)
        return response instanceof SluiceError ? this.#responder.failed(response, request) : response;
    }
    return undefined;
  }

  #finish(request: ApiRequest, account: string, body: Uint8Array | SluiceError): Awaitable<ApiResponse> {
    const responder = this.#responder;
    try {
      const response = this.#run(request, account, body);
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

  #run(request: ApiRequest, account: string, body: Uint8Array | SluiceError): Awaitable<ApiResponse> {
    if (body instanceof SluiceError) throw body;
    const { identity } = request;
    if (identity === undefined) throw new Error('the head of this request was not read');
    return identity instanceof Promise
      ? identity.then((who) => this.#handle(request, account, who, body))
      : this.#handle(request, account, identity, body);
  }

  #handle(
    request: ApiRequest,
    account: string,
    identity: Identity | SluiceError,
    body: Uint8Array,
  ): Awaitable<ApiResponse> {
    if (identity instanceof SluiceError) throw identity;
    const { match, query, contentType, ifNoneMatch, acceptEncoding } = request;
    const route = request.foundRoute();
    const call = {
      params: readParams(route, match?.params ?? {}),
      query: readQuery(route, query),
      body: route.body === undefined ? noBody : withoutByteOrderMark(body),
      contentType,
      ifNoneMatch,
      acceptEncoding,
      identity,
      payer: payerOf(identity, account),
      departure: request,
    };
    return route.handle(call, this.#options.ports);
  }
}

function refusalOf(identity: Identity | SluiceError): SluiceError | undefined {
  return identity instanceof SluiceError ? identity : undefined;
}
