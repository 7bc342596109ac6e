import type { OriginPolicy } from '../auth/origins.ts';
import { SluiceError } from '../errors.ts';
import { type ApiResponse, errorResponse } from './http.ts';
import type { Place } from './match.ts';

/** Answers differ by origin, so caches must keep them apart. */
const vary = Object.freeze({ vary: 'Origin' });

/**
 * Lets pages of listed origins read the answer. The origin is echoed, also for `*`; credentials of the browser's own
 * (cookies) are never asked for, keys and tokens stand in headers.
 */
export function withCors(response: ApiResponse, origin: string, origins: OriginPolicy): ApiResponse {
  if (!origins.hasList) return response;
  const headers = origins.lists(origin)
    ? {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'ETag, Retry-After, WWW-Authenticate',
        ...vary,
      }
    : vary;
  return { ...response, headers: { ...response.headers, ...headers } };
}

/** OPTIONS: to a page what it may send, to anybody else which methods there are. `requestMethod`: absent outside a preflight. */
export function preflight(
  place: Place,
  origin: string,
  requestMethod: string,
  origins: OriginPolicy,
): ApiResponse {
  if (origin === '' || requestMethod === '')
    return { status: 204, headers: { allow: place.allow }, body: '' };
  if (!origins.lists(origin)) return errorResponse(new SluiceError('origin_not_allowed'));
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': place.allow,
      'access-control-allow-headers': 'Authorization, Content-Type, X-API-Key',
      'access-control-max-age': '600',
    },
    body: '',
  };
}
