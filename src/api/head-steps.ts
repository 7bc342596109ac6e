import type { Identity } from '../auth/identity.ts';
import type { OriginPolicy } from '../auth/origins.ts';
import type { RequestAccess } from '../auth/request-access.ts';
import { isPending } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import { mediaType } from '../protocol/media-type.ts';
import { preflight } from './cors.ts';
import { type ApiResponse, errorResponse, type RequestHead } from './http.ts';
import type { ApiPorts } from './ports.ts';
import type { ApiRequest } from './request.ts';
import type { Route } from './route.ts';

export interface HeadStepOptions {
  readonly ports: Pick<ApiPorts, 'authorizePublishing' | 'bodyMaxBytes'>;
  readonly requestAccess: RequestAccess;
  readonly origins: OriginPolicy;
}

/** Returns the response, or the error, that ends the request; undefined: the next step runs. */
type HeadStep = (
  request: ApiRequest,
  head: RequestHead,
  options: HeadStepOptions,
) => ApiResponse | SluiceError | undefined;

/** The steps that a request's head goes through, in this order, before its body is read. */
export const headSteps: readonly HeadStep[] = [
  findPath,
  answerPreflight,
  findRoute,
  identify,
  checkContent,
  copyRest,
];

function findPath({ match }: ApiRequest): SluiceError | undefined {
  return match === undefined ? new SluiceError('not_found', 'there is no such route') : undefined;
}

function answerPreflight(
  { method, match, origin }: ApiRequest,
  head: RequestHead,
  { origins, requestAccess }: HeadStepOptions,
): ApiResponse | SluiceError | undefined {
  if (method !== 'OPTIONS' || match === undefined) return undefined;
  const asked = {
    origin,
    requestMethod: head.header('access-control-request-method'),
    requestHeaders: head.header('access-control-request-headers'),
  };
  const response = preflight(match.place, asked, origins);
  if (response instanceof SluiceError) requestAccess.refusedOrigin(head, response);
  return response;
}

function findRoute(request: ApiRequest): ApiResponse | undefined {
  const place = request.match?.place;
  const route = place?.byMethod.get(request.method);
  if (route === undefined) {
    const allow = place?.allow ?? '';
    return errorResponse(new SluiceError('method_not_allowed', `this route allows ${allow}`), { allow });
  }
  request.route = route;
  return undefined;
}

function identify(
  request: ApiRequest,
  head: RequestHead,
  { requestAccess, ports }: HeadStepOptions,
): SluiceError | undefined {
  const route = request.foundRoute();
  const { access, byToken = false, body } = route;
  const verdict = requestAccess.check(head, { access, byToken, mediaTypes: body?.mediaTypes ?? [] });
  const identity = isPending(verdict)
    ? verdict.then((who) => mayPublish(route, who, ports))
    : mayPublish(route, verdict, ports);
  request.identity = identity;
  return identity instanceof SluiceError ? identity : undefined;
}

/** A caller that may publish nowhere is refused before its body is read. */
function mayPublish(
  { access }: Route,
  who: Identity | SluiceError,
  { authorizePublishing }: HeadStepOptions['ports'],
): Identity | SluiceError {
  if (who instanceof SluiceError || access !== 'publish') return who;
  return authorizePublishing(who) ?? who;
}

function checkContent(
  request: ApiRequest,
  head: RequestHead,
  { ports: { bodyMaxBytes } }: HeadStepOptions,
): SluiceError | undefined {
  const { body } = request.foundRoute();
  if (body === undefined) return undefined;
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
  // Each header that is asked for is a call into the library.
  const type = head.header('content-type');
  request.contentType = type;
  if (body.mediaTypes.includes(mediaType(type))) return undefined;
  if (body.optional && type === '' && (length === '' || length === '0')) return undefined;
  return new SluiceError(
    'unsupported_media_type',
    `the Content-Type must be ${body.mediaTypes.join(' or ')}`,
  );
}

function copyRest(request: ApiRequest, head: RequestHead): undefined {
  const { access, query } = request.foundRoute();
  if (query !== undefined) request.query = head.query;
  if (access !== 'none') return;
  request.ifNoneMatch = head.header('if-none-match');
  request.acceptEncoding = head.header('accept-encoding');
}
