import { isForwardingHeader } from '../auth/loopback-access.ts';
import type { OriginPolicy } from '../auth/origins.ts';
import { SluiceError } from '../errors.ts';
import { type ApiResponse, json } from './http.ts';
import type { Place } from './match.ts';

/** Responses differ by origin, so `Vary` says it, beside what it says already. */
function varyOf({ headers }: ApiResponse): { vary: string } {
  const { vary } = headers;
  return { vary: vary === undefined ? 'Origin' : `${vary}, Origin` };
}

/**
 * Lets pages of listed origins read the response. The origin is echoed, also for `*`; credentials of the browser's own
 * (cookies) are never used: keys and tokens come in headers.
 */
export function withCors(response: ApiResponse, origin: string, origins: OriginPolicy): ApiResponse {
  if (!origins.hasList) return response;
  const vary = varyOf(response);
  const headers = origins.lists(origin)
    ? {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'ETag, Retry-After, Sluice-Cursor, WWW-Authenticate, X-Request-Id',
        ...vary,
      }
    : vary;
  return { ...response, headers: { ...response.headers, ...headers } };
}

export interface Preflight {
  readonly origin: string;
  /** Absent outside a preflight. */
  readonly requestMethod: string;
  readonly requestHeaders: string;
}

/**
 * OPTIONS: tells a page what it may send, and others which methods there are. It is 200 with a body, as only the
 * writing of a body tells whether the client reads (see `Exchange`); browsers take any 2xx.
 */
export function preflight(
  { allow }: Place,
  { origin, requestMethod, requestHeaders }: Preflight,
  origins: OriginPolicy,
): ApiResponse | SluiceError {
  const response = json({ allow });
  if (origin === '' || requestMethod === '') return { ...response, headers: { ...response.headers, allow } };
  if (!origins.lists(origin)) return new SluiceError('origin_not_allowed');
  return {
    ...response,
    headers: {
      ...response.headers,
      'access-control-allow-methods': allow,
      'access-control-allow-headers': allowedHeaders(requestHeaders),
      'access-control-max-age': '600',
    },
  };
}

/** What the gateway itself reads. */
const ownHeaders = ['Authorization', 'Content-Type', 'If-None-Match', 'X-API-Key'];
const otherHeadersMax = 32;
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;

/**
 * Libraries of tracing and telemetry add headers to every request of a page (`traceparent`, `tracestate`, `baggage`,
 * `sentry-trace` …), more of them each year. The gateway ignores them, so a listed page may send them. Headers that
 * only a proxy should add are not allowed.
 */
function allowedHeaders(asked: string): string {
  const own = new Set(ownHeaders.map((name) => name.toLowerCase()));
  const others = asked
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => headerName.test(name) && !own.has(name) && !isForwardingHeader(name));
  return [...ownHeaders, ...new Set(others.slice(0, otherHeadersMax))].join(', ');
}
