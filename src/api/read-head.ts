import type { Identity } from '../auth/identity.ts';
import type { OriginPolicy } from '../auth/origins.ts';
import type { RequestAccess } from '../auth/request-access.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import { mediaType } from '../protocol/media-type.ts';
import { preflight } from './cors.ts';
import { type ApiResponse, errorResponse, type RequestHead } from './http.ts';
import type { Match, Place } from './match.ts';
import type { ApiPorts } from './ports.ts';
import type { Call, Route, RouteBody } from './route.ts';

export interface HeadOptions {
  readonly ports: Pick<ApiPorts, 'authorizePublishing' | 'bodyMaxBytes'>;
  readonly requestAccess: RequestAccess;
  readonly origins: OriginPolicy;
  /** Returns the response to an error. */
  readonly failed: (error: SluiceError, request: ApiRequest) => ApiResponse;
}

/** What is known of each request as soon as it has come. */
export interface ApiRequest {
  readonly startMs: number;
  readonly method: string;
  /** Empty: it has none, or no response depends on it. */
  readonly origin: string;
  /** By which the log and the client know it. */
  readonly id: string;
  /** The pattern of the path, for metrics and the log. */
  readonly path: string;
  readonly departure: Call['departure'];
}

/** A request that a route takes, without its body. */
export interface RoutedRequest extends Pick<Call, 'contentType' | 'ifNoneMatch' | 'acceptEncoding'> {
  readonly refusal?: undefined;
  readonly route: Route;
  /** The caller, or why the request is refused once its token was verified. */
  readonly identity: Identity | Promise<Identity | SluiceError>;
  /** Percent-encoded, like the query, which is empty on routes without one. */
  readonly params: Match['params'];
  readonly query: string;
}

/** A request whose head is answered, and what was known of it by then. */
export interface RefusedRequest extends Partial<Pick<RoutedRequest, 'route' | 'identity'>> {
  readonly refusal: ApiResponse;
}

/** Reads the head of a request, before its body. The head is gone when the body arrives. */
export function readHead(
  request: ApiRequest,
  head: RequestHead,
  match: Match | undefined,
  options: HeadOptions,
): RoutedRequest | RefusedRequest {
  const { failed } = options;
  if (match === undefined)
    return { refusal: failed(new SluiceError('not_found', 'there is no such route'), request) };
  const { place, params } = match;
  if (request.method === 'OPTIONS') return { refusal: answerPreflight(request, head, place, options) };
  const route = place.byMethod.get(request.method);
  if (route === undefined) return { refusal: methodNotAllowed(place) };
  const { access, body } = route;
  const identity = identify(route, head, options);
  if (identity instanceof SluiceError) return { refusal: failed(identity, request), route };
  const contentType = body === undefined ? '' : contentTypeOf(body, head, options.ports);
  if (contentType instanceof SluiceError) return { refusal: failed(contentType, request), route, identity };
  // Each header that is asked for is a call into the library.
  const isOpen = access === 'none';
  return {
    route,
    identity,
    params,
    query: route.query === undefined ? '' : head.query,
    contentType,
    ifNoneMatch: isOpen ? head.header('if-none-match') : '',
    acceptEncoding: isOpen ? head.header('accept-encoding') : '',
  };
}

function answerPreflight(
  request: ApiRequest,
  head: RequestHead,
  place: Place,
  { origins, requestAccess, failed }: HeadOptions,
): ApiResponse {
  const question = {
    origin: request.origin,
    requestMethod: head.header('access-control-request-method'),
    requestHeaders: head.header('access-control-request-headers'),
  };
  const response = preflight(place, question, origins);
  if (!(response instanceof SluiceError)) return response;
  requestAccess.refusedOrigin(head, response);
  return failed(response, request);
}

function methodNotAllowed({ allow }: Place): ApiResponse {
  return errorResponse(new SluiceError('method_not_allowed', `this route allows ${allow}`), { allow });
}

/** A caller that may publish nowhere is refused before its body is read. */
function identify(
  { access, byToken, body }: Route,
  head: RequestHead,
  { requestAccess, ports }: HeadOptions,
): Awaitable<Identity | SluiceError> {
  const verdict = requestAccess.check(head, {
    access,
    byToken: byToken === true,
    mediaTypes: body?.mediaTypes ?? [],
  });
  if (access !== 'publish') return verdict;
  return whenDone(verdict, (who) =>
    who instanceof SluiceError ? who : (ports.authorizePublishing(who) ?? who),
  );
}

function contentTypeOf(
  { mediaTypes, optional }: RouteBody,
  head: RequestHead,
  { bodyMaxBytes }: HeadOptions['ports'],
): string | SluiceError {
  const length = head.header('content-length');
  if (Number(length) > bodyMaxBytes) {
    return new SluiceError('frame_too_large', `a body has at most ${bodyMaxBytes} bytes`);
  }
  const encoding = head.header('content-encoding').trim().toLowerCase();
  if (encoding !== '' && encoding !== 'identity') {
    return new SluiceError(
      'unsupported_media_type',
      `a body can't be sent as ${encoding.slice(0, 20)}: send it without Content-Encoding`,
    );
  }
  const type = head.header('content-type');
  if (mediaTypes.includes(mediaType(type))) return type;
  if (optional && type === '' && (length === '' || length === '0')) return type;
  return new SluiceError('unsupported_media_type', `the Content-Type must be ${mediaTypes.join(' or ')}`);
}
