import type { Identity } from '../auth/identity.ts';
import { mediaType } from '../auth/loopback-access.ts';
import type { OriginPolicy } from '../auth/origins.ts';
import { accountOf, addressPayer, payerOf } from '../auth/payer.ts';
import type { RequestAccess } from '../auth/request-access.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { ErrorLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Payer } from '../topics/payer.ts';
import { preflight, withCors } from './cors.ts';
import { type ApiResponse, errorResponse, type RequestHead } from './http.ts';
import { type Match, matcher, type Place } from './match.ts';
import { openapiRoute } from './openapi.ts';
import type { ApiPorts } from './ports.ts';
import type { Call, Route } from './route.ts';
import { routes } from './routes.ts';
import { validate } from './validate.ts';

export interface ApiOptions {
  readonly ports: ApiPorts;
  readonly requestAccess: RequestAccess;
  readonly origins: OriginPolicy;
  readonly metrics: Pick<Metrics, 'httpRequestsTotal' | 'httpRequestSeconds'> &
    Pick<Metrics, 'authFailuresTotal' | 'rateLimitedTotal'>;
  readonly log: ErrorLog;
  /** The key of the address that a request came from, as connections are counted by it. */
  readonly addressKey?: (head: RequestHead) => string;
  /** Absent: requests are not limited. */
  readonly limits?: Limits;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs?: () => number;
}

/** How often and for how much work a payer may ask. */
export interface Limits {
  /** Takes a request: 0, or in how many milliseconds the payer may ask again. `isAddress`: whether it is only an address. */
  take(payer: string, isAddress: boolean): number;
  spent(payer: string, ms: number, answerBytes: number): void;
}

/** A request whose head was read. */
export interface Opened {
  /** Read no more of the body than this; 0: don't read it. More: `finish` with the error `frame_too_large`. */
  readonly bodyMaxBytes: number;
  /** The account that the body is charged to while it comes, and the answer while it is unread. */
  readonly payer: string;
  /**
   * Present while it is being found out who calls: why the request is refused, or nothing. Never rejects. A refused
   * request need not send its body.
   */
  readonly verdict: Promise<SluiceError | undefined> | undefined;
  /**
   * Answers; never rejects. To be called once, with the whole body, which nobody changes after that, or with why there is none.
   */
  finish(body: Uint8Array | SluiceError): Awaitable<ApiResponse>;
}

export interface Api {
  /**
   * Reads the head: route, permission, content type. All headers are read before it returns, so that the body of a
   * request that is refused anyway need not be waited for.
   */
  open(head: RequestHead): Opened;
}

/** What the answer to a request depends on besides its handler. */
interface Asked {
  readonly path: string;
  readonly startMs: number;
  readonly method: string;
  readonly origin: string;
}

/** Who pays for a request; until a token is verified, its address. */
interface RequestPayer extends Payer {
  /** It is only an address: no key and no token says who it is. */
  readonly isAddress: boolean;
  readonly isLimited: boolean;
}

/** A request that waits for its body. */
interface Begun {
  readonly bodyMaxBytes: number;
  readonly route: Route;
  readonly identity: Awaitable<Identity | SluiceError>;
  /** Still percent-encoded, like `query`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: string;
  readonly contentType: string;
  readonly ifNoneMatch: string;
  readonly acceptEncoding: string;
}

const unmatched = 'unmatched';
const noBody = new Uint8Array(0);
/** The body of a request that is answered from its head. */
const unread = { bodyMaxBytes: 0, verdict: undefined };
export function createApi(options: ApiOptions): Api {
  const { ports, requestAccess, origins, metrics, log } = options;
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const addressKey = options.addressKey ?? (({ peerAddress }) => peerAddress);
  const match = matcher([...routes, openapiRoute(routes, ports.service.version)]);

  return { open };

  function open(head: RequestHead): Opened {
    const startMs = monotonicMs();
    const found = match(head.path);
    const path = found?.place.path ?? unmatched;
    const asked: Asked = { path, startMs, method: head.method, origin: head.header('origin') };
    const begun = begin(head, found);
    const payer = requestPayer(head, 'status' in begun ? undefined : begun);
    const refusal = payer.isLimited ? limitProblem(payer) : undefined;
    if (refusal !== undefined || 'status' in begun) {
      const answer = refusal ?? (begun as ApiResponse);
      return { ...unread, payer: payer.account, finish: () => answered(asked, answer) };
    }
    const { bodyMaxBytes, identity } = begun;
    return {
      bodyMaxBytes,
      payer: payer.account,
      verdict: identity instanceof Promise ? identity.then(refusalOf) : undefined,
      finish: (body) => settle(asked, begun, payer, body),
    };
  }

  /** A token that has to be verified first is charged to its address until then. */
  function requestPayer(head: RequestHead, begun: Begun | undefined): RequestPayer {
    const identity = begun?.identity;
    const known = identity instanceof Promise || identity instanceof SluiceError ? undefined : identity;
    const account = known === undefined ? undefined : accountOf(known);
    // Keys, and this machine itself, are the operator.
    const isOperator = known !== undefined && known.scopes.length > 0;
    return {
      // Reading the address takes as long as a tenth of a publish: it is read where nothing else names the payer.
      account: account ?? addressPayer(addressKey(head)),
      isVerified: account !== undefined || isOperator,
      isAddress: account === undefined,
      isLimited: options.limits !== undefined && !isOperator && begun?.route.isProbe !== true,
    };
  }

  function limitProblem({ account, isAddress }: RequestPayer): ApiResponse | undefined {
    const retryAfterMs = options.limits?.take(account, isAddress) ?? 0;
    if (retryAfterMs === 0) return undefined;
    metrics.rateLimitedTotal.inc({ scope: 'http' });
    return errorResponse(new SluiceError('rate_limited', undefined, { retryAfterMs }));
  }

  function settle(
    asked: Asked,
    begun: Begun,
    payer: RequestPayer,
    body: Uint8Array | SluiceError,
  ): Awaitable<ApiResponse> {
    if (!payer.isLimited) return answer(asked, begun, payer, body);
    const startMs = monotonicMs();
    const answering = answer(asked, begun, payer, body);
    const tookMs = monotonicMs() - startMs;
    return whenDone(answering, (response) => {
      const bytes = response.omitBody === true ? 0 : response.body.length;
      options.limits?.spent(payer.account, tookMs, bytes);
      return response;
    });
  }

  function answer(
    asked: Asked,
    begun: Begun,
    payer: Payer,
    body: Uint8Array | SluiceError,
  ): Awaitable<ApiResponse> {
    try {
      const response = run(begun, payer, body);
      return response instanceof Promise
        ? response.then(
            (each) => answered(asked, each),
            (error: unknown) => failed(asked, error),
          )
        : answered(asked, response);
    } catch (error) {
      return failed(asked, error);
    }
  }

  function answered({ path, startMs, method, origin }: Asked, response: ApiResponse): ApiResponse {
    metrics.httpRequestsTotal.inc({ route: path, status: String(response.status) });
    metrics.httpRequestSeconds.labels({ route: path }).observe((monotonicMs() - startMs) / 1000);
    const answer = withCors(response, origin, origins);
    return method === 'HEAD' ? { ...answer, omitBody: true } : answer;
  }

  function failed(asked: Asked, error: unknown): ApiResponse {
    return answered(asked, toResponse(error, asked.path));
  }

  /** Takes from the head what the handler will need, as the head may be gone by then. */
  function begin(head: RequestHead, found: Match | undefined): Begun | ApiResponse {
    if (found === undefined) return errorResponse(new SluiceError('not_found', 'there is no such route'));
    const { place, params } = found;
    if (head.method === 'OPTIONS') {
      return preflighted(head, place);
    }
    const route = place.byMethod.get(head.method);
    if (route === undefined) {
      const error = new SluiceError('method_not_allowed', `this route takes ${place.allow}`);
      return errorResponse(error, { allow: place.allow });
    }
    const need = {
      access: route.access,
      byToken: route.byToken === true,
      mediaTypes: route.body?.mediaTypes ?? [],
    };
    const identity = whenDone(requestAccess.check(head, need), (who) => permitted(route, who));
    if (identity instanceof SluiceError) return toResponse(identity, place.path);
    const contentType = route.body === undefined ? '' : head.header('content-type');
    const problem = contentProblem(head, contentType, route, ports.bodyMaxBytes);
    if (problem !== undefined) return errorResponse(problem);
    return {
      bodyMaxBytes: route.body === undefined ? 0 : ports.bodyMaxBytes,
      route,
      identity,
      params,
      query: head.query,
      contentType,
      ifNoneMatch: route.access === 'none' ? head.header('if-none-match') : '',
      acceptEncoding: route.access === 'none' ? head.header('accept-encoding') : '',
    };
  }

  /** What can be judged before the body is there. */
  function permitted({ access }: Route, who: Identity | SluiceError): Identity | SluiceError {
    if (who instanceof SluiceError || access !== 'publish') return who;
    return ports.authorizePublishing(who) ?? who;
  }

  function preflighted(head: RequestHead, place: Place): ApiResponse {
    const asked = {
      origin: head.header('origin'),
      requestMethod: head.header('access-control-request-method'),
      requestHeaders: head.header('access-control-request-headers'),
    };
    const answer = preflight(place, asked, origins);
    if (!(answer instanceof SluiceError)) return answer;
    requestAccess.refusedOrigin(head, answer);
    return toResponse(answer, place.path);
  }

  function run(begun: Begun, payer: Payer, body: Uint8Array | SluiceError): Awaitable<ApiResponse> {
    if (body instanceof SluiceError) throw body;
    return whenDone(begun.identity, (who) => handle(begun, payer, who, body));
  }

  function handle(
    begun: Begun,
    payer: Payer,
    identity: Identity | SluiceError,
    body: Uint8Array,
  ): Awaitable<ApiResponse> {
    if (identity instanceof SluiceError) throw identity;
    const { route, params, query, contentType, ifNoneMatch, acceptEncoding } = begun;
    const call: Call = {
      params: route.params === undefined ? params : readParams(route, params),
      query: route.query === undefined ? undefined : readQuery(route, query),
      body: route.body === undefined ? noBody : withoutByteOrderMark(body),
      contentType,
      ifNoneMatch,
      acceptEncoding,
      identity,
      payer: payerOf(identity, payer.account),
    };
    return route.handle(call, ports);
  }

  function toResponse(error: unknown, path: string): ApiResponse {
    if (!(error instanceof SluiceError)) {
      log.error({ err: error, route: path }, 'a request failed');
      return errorResponse(new SluiceError('internal'));
    }
    if (error.isAuthFault) metrics.authFailuresTotal.inc({ reason: error.code });
    // The cause is for the operator, the table's words for the client.
    if (error.code === 'internal') log.error({ err: error, route: path }, 'a request failed');
    return errorResponse(error.code === 'internal' ? new SluiceError('internal') : error);
  }
}

function refusalOf(identity: Identity | SluiceError): SluiceError | undefined {
  return identity instanceof SluiceError ? identity : undefined;
}

function contentProblem(
  head: RequestHead,
  type: string,
  { body }: Route,
  bodyMaxBytes: number,
): SluiceError | undefined {
  if (body === undefined) return undefined;
  const length = head.header('content-length');
  if (Number(length) > bodyMaxBytes)
    return new SluiceError('frame_too_large', `a body has at most ${bodyMaxBytes} bytes`);
  const encoding = head.header('content-encoding').trim().toLowerCase();
  if (encoding !== '' && encoding !== 'identity') {
    return new SluiceError(
      'unsupported_media_type',
      `a body can't be sent as ${encoding.slice(0, 20)}: send it without Content-Encoding`,
    );
  }
  if (body.mediaTypes.includes(mediaType(type))) return undefined;
  if (body.optional && type === '' && (length === '' || length === '0')) return undefined;
  return new SluiceError(
    'unsupported_media_type',
    `the Content-Type must be ${body.mediaTypes.join(' or ')}`,
  );
}

function readParams(route: Route, raw: Readonly<Record<string, string>>): unknown {
  const decoded: Record<string, string> = {};
  for (const name in raw) decoded[name] = percentDecoded(raw[name]!);
  return valid(validate(route.params!, decoded));
}

function percentDecoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SluiceError('invalid_request', 'the path is not percent-encoded UTF-8');
  }
}

function readQuery(route: Route, query: string): unknown {
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(query)) {
    if (name in values)
      throw new SluiceError('invalid_request', `${JSON.stringify(name)} stands twice in the query`);
    values[name] = value;
  }
  return valid(validate(route.query!, { ...values }));
}

function valid<T>(value: T | SluiceError): T {
  if (value instanceof SluiceError) throw value;
  return value;
}

/** Editors and some libraries begin UTF-8 with one; JSON knows none. */
function withoutByteOrderMark(body: Uint8Array): Uint8Array {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}
