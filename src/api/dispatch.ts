import type { Gate } from '../auth/gate.ts';
import type { Identity } from '../auth/identity.ts';
import { mediaType } from '../auth/local-guard.ts';
import type { OriginPolicy } from '../auth/origins.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { type ErrorCode, SluiceError } from '../errors.ts';
import { preflight, withCors } from './cors.ts';
import { type ApiResponse, errorResponse, type RequestHead } from './http.ts';
import { type Match, matcher } from './match.ts';
import { openapiRoute } from './openapi.ts';
import type { ApiPorts, ErrorLog, RequestObserver } from './ports.ts';
import type { Call, Route } from './route.ts';
import { routes } from './routes.ts';
import { validate } from './validate.ts';

export interface ApiOptions {
  readonly ports: ApiPorts;
  readonly gate: Gate;
  readonly origins: OriginPolicy;
  readonly observer: RequestObserver;
  readonly log: ErrorLog;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs?: () => number;
}

/** A request whose head was read. */
export interface Opened {
  /** Read no more of the body than this; 0: don't read it. More: `finish` with the error `frame_too_large`. */
  readonly bodyMaxBytes: number;
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
}

const unmatched = 'unmatched';
const noBody = new Uint8Array(0);
/** Counted as failures of authentication. */
const authCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unauthorized',
  'token_expired',
  'forbidden',
  'origin_not_allowed',
  'local_only',
]);

export function createApi(options: ApiOptions): Api {
  const { ports, gate, origins, observer, log } = options;
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const match = matcher([...routes, openapiRoute(routes, ports.service.version)]);

  return { open };

  function open(head: RequestHead): Opened {
    const startMs = monotonicMs();
    const found = match(head.path);
    const path = found?.place.path ?? unmatched;
    const asked: Asked = { path, startMs, method: head.method, origin: head.header('origin') };
    const begun = begin(head, found);
    return 'status' in begun
      ? { bodyMaxBytes: 0, finish: () => answered(asked, begun) }
      : { bodyMaxBytes: begun.bodyMaxBytes, finish: (body) => settle(asked, begun, body) };
  }

  function settle(asked: Asked, begun: Begun, body: Uint8Array | SluiceError): Awaitable<ApiResponse> {
    try {
      const response = run(begun, body);
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
    observer.answered(path, response.status, (monotonicMs() - startMs) / 1000);
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
      return preflight(place, head.header('origin'), head.header('access-control-request-method'), origins);
    }
    const route = place.byMethod.get(head.method);
    if (route === undefined) {
      const error = new SluiceError('method_not_allowed', `this route takes ${place.allow}`);
      return errorResponse(error, { allow: place.allow });
    }
    const identity = gate.authorize(head, {
      access: route.access,
      byToken: route.byToken === true,
      mediaTypes: route.body?.mediaTypes ?? [],
    });
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
    };
  }

  function run(begun: Begun, body: Uint8Array | SluiceError): Awaitable<ApiResponse> {
    if (body instanceof SluiceError) throw body;
    return whenDone(begun.identity, (who) => handle(begun, who, body));
  }

  function handle(begun: Begun, identity: Identity | SluiceError, body: Uint8Array): Awaitable<ApiResponse> {
    if (identity instanceof SluiceError) throw identity;
    const { route, params, query, contentType, ifNoneMatch } = begun;
    const call: Call = {
      params: route.params === undefined ? params : readParams(route, params),
      query: route.query === undefined ? undefined : readQuery(route, query),
      body: route.body === undefined ? noBody : body,
      contentType,
      ifNoneMatch,
      identity,
    };
    return route.handle(call, ports);
  }

  function toResponse(error: unknown, path: string): ApiResponse {
    if (!(error instanceof SluiceError)) {
      log.error({ err: error, route: path }, 'a request failed');
      return errorResponse(new SluiceError('internal'));
    }
    if (authCodes.has(error.code)) observer.authFailed(error.code);
    // The cause is for the operator, the table's words for the client.
    if (error.code === 'internal') log.error({ err: error, route: path }, 'a request failed');
    return errorResponse(error.code === 'internal' ? new SluiceError('internal') : error);
  }
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
