import { type Identity, isOperator } from '../auth/identity.ts';
import type { OriginPolicy } from '../auth/origins.ts';
import { accountOf, addressAccount, payerOf } from '../auth/payer.ts';
import type { ReportRefusal } from '../auth/refusals.ts';
import type { RequestAccess } from '../auth/request-access.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { ErrorLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { withoutByteOrderMark } from '../protocol/utf8.ts';
import { withCors } from './cors.ts';
import { headSteps } from './head-steps.ts';
import { type ApiResponse, errorResponse, type RequestHead } from './http.ts';
import { matcher } from './match.ts';
import { openapiRoute } from './openapi.ts';
import type { ApiPorts } from './ports.ts';
import { ApiRequest } from './request.ts';
import { readParams, readQuery } from './request-input.ts';
import type { Route } from './route.ts';
import { routes } from './routes.ts';

export interface ApiOptions {
  readonly ports: ApiPorts;
  /** Besides those of every gateway. */
  readonly moreRoutes?: readonly Route[];
  /** Whether there is this route here. Absent: all are. */
  readonly serves?: (route: Route) => boolean;
  readonly requestAccess: RequestAccess;
  readonly origins: OriginPolicy;
  readonly metrics: Pick<Metrics, 'httpRequestsTotal' | 'httpRequestSeconds'> &
    Pick<Metrics, 'authFailuresTotal' | 'rateLimitedTotal'>;
  readonly log: ErrorLog;
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

/** How often and for how much work a payer may ask. */
export interface RequestRateLimits {
  /**
   * Takes a request. Returns 0, or in how many milliseconds the payer may ask again. `isAddress`: it is only an
   * address.
   */
  take(account: string, isAddress: boolean): number;
  spent(account: string, ms: number, responseBytes: number): void;
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
  readonly verdict: Promise<SluiceError | undefined> | undefined;
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

export function createApi(options: ApiOptions): Api {
  const { ports, origins, metrics, log, limits } = options;
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const workMs = options.workMs ?? monotonicMs;
  const addressKey = options.addressKey ?? (({ peerAddress }) => peerAddress);
  const all = [...routes, ...(options.moreRoutes ?? [])].filter(options.serves ?? (() => true));
  const match = matcher([...all, openapiRoute(all, ports.service.version)]);

  return { open };

  function open(head: RequestHead): OpenRequest {
    // Each header that is asked for is a call into the library.
    const origin = origins.hasList || head.method === 'OPTIONS' ? head.header('origin') : '';
    const request = new ApiRequest(head, match(head.path), origin, monotonicMs());
    const ended = readHead(request, head);
    const { identity } = request;
    const known = identity instanceof Promise || identity instanceof SluiceError ? undefined : identity;
    const named = known && accountOf(known);
    // Reading the address takes as long as a tenth of a publish: it is read only where nothing else names the payer.
    const account = named ?? addressAccount(addressKey(head));
    const isLimited = limits !== undefined && !isExempt(request, known);
    const response = (isLimited ? rateProblem(head, account, known) : undefined) ?? ended;
    const hasBody = response === undefined && request.foundRoute().body !== undefined;
    return {
      left: () => request.left(),
      bodyMaxBytes: hasBody ? ports.bodyMaxBytes : 0,
      account,
      verdict: response === undefined && identity instanceof Promise ? identity.then(refusalOf) : undefined,
      finish: (body) => {
        if (response !== undefined) return completed(request, response);
        return isLimited ? charged(request, account, body) : finish(request, account, body);
      },
    };
  }

  function readHead(request: ApiRequest, head: RequestHead): ApiResponse | undefined {
    for (const step of headSteps) {
      const response = step(request, head, options);
      if (response !== undefined)
        return response instanceof SluiceError ? failed(response, request) : response;
    }
    return undefined;
  }

  function rateProblem(head: RequestHead, account: string, known?: Identity): ApiResponse | undefined {
    const isAddress = known === undefined || accountOf(known) === undefined;
    const retryAfterMs = limits?.take(account, isAddress) ?? 0;
    if (retryAfterMs === 0) return undefined;
    metrics.rateLimitedTotal.inc({ scope: 'http' });
    const error = new SluiceError('rate_limited', undefined, { retryAfterMs });
    const { requestId: request } = head;
    options.refused?.('http', error, { address: addressKey(head), origin: '', request, user: known?.user });
    return errorResponse(error);
  }

  /** Does the work of `finish`, and charges the payer for it. */
  function charged(
    request: ApiRequest,
    account: string,
    body: Uint8Array | SluiceError,
  ): Awaitable<ApiResponse> {
    const startMs = workMs();
    const responding = finish(request, account, body);
    const tookMs = workMs() - startMs;
    return whenDone(responding, (response) => {
      const bytes = response.omitBody === true ? 0 : response.body.length;
      limits?.spent(account, tookMs, bytes);
      return response;
    });
  }

  function finish(
    request: ApiRequest,
    account: string,
    body: Uint8Array | SluiceError,
  ): Awaitable<ApiResponse> {
    try {
      const response = run(request, account, body);
      return response instanceof Promise
        ? response.then(
            (each) => completed(request, each),
            (error: unknown) => completed(request, failed(error, request)),
          )
        : completed(request, response);
    } catch (error) {
      return completed(request, failed(error, request));
    }
  }

  function run(request: ApiRequest, account: string, body: Uint8Array | SluiceError): Awaitable<ApiResponse> {
    if (body instanceof SluiceError) throw body;
    const { identity } = request;
    if (identity === undefined) throw new Error('the head of this request was not read');
    return identity instanceof Promise
      ? identity.then((who) => handle(request, account, who, body))
      : handle(request, account, identity, body);
  }

  function handle(
    request: ApiRequest,
    account: string,
    identity: Identity | SluiceError,
    body: Uint8Array,
  ): Awaitable<ApiResponse> {
    if (identity instanceof SluiceError) throw identity;
    const { match: found, query, contentType, ifNoneMatch, acceptEncoding } = request;
    const route = request.foundRoute();
    const call = {
      params: readParams(route, found?.params ?? {}),
      query: readQuery(route, query),
      body: route.body === undefined ? noBody : withoutByteOrderMark(body),
      contentType,
      ifNoneMatch,
      acceptEncoding,
      identity,
      payer: payerOf(identity, account),
      departure: request,
    };
    return route.handle(call, ports);
  }

  /** The response to an error. Internal details are logged and not sent to the client; both have the same id. */
  function failed(error: unknown, { path, id: request }: ApiRequest): ApiResponse {
    if (!(error instanceof SluiceError) || error.code === 'internal') {
      log.error({ err: error, route: path, request }, 'a request failed');
      return errorResponse(new SluiceError('internal', undefined, { details: { request } }));
    }
    if (error.isAuthFault) metrics.authFailuresTotal.inc({ reason: error.code });
    return errorResponse(error);
  }

  function completed({ path, startMs, method, origin }: ApiRequest, response: ApiResponse): ApiResponse {
    metrics.httpRequestsTotal.inc({ route: path, status: String(response.status) });
    metrics.httpRequestSeconds.labels({ route: path }).observe((monotonicMs() - startMs) / 1000);
    const visible = withCors(response, origin, origins);
    return method === 'HEAD' ? { ...visible, omitBody: true } : visible;
  }
}

/** Operators and probes ask as often as they like. */
function isExempt({ route }: ApiRequest, identity: Identity | undefined): boolean {
  return (identity !== undefined && isOperator(identity)) || route?.isProbe === true;
}

function refusalOf(identity: Identity | SluiceError): SluiceError | undefined {
  return identity instanceof SluiceError ? identity : undefined;
}
