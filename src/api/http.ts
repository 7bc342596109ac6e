import type { RequestFacts } from '../auth/request-facts.ts';
import type { SluiceError } from '../errors.ts';

/** A request before its body. Its functions are only called while `open` runs: after that the head is gone. */
export interface RequestHead extends RequestFacts {
  /** As sent: percent-encoded, without the query. */
  readonly path: string;
  /** As sent, without "?"; empty: none. */
  readonly query: string;
  /** All lines of `X-Forwarded-For`, joined by commas. */
  readonly forwardedFor: string;
}

export interface ApiResponse {
  readonly status: number;
  /**
   * Names in lower case. Without content-length, which the transport adds. Must not be changed; frozen where many
   * responses share them.
   */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** The response to HEAD: send the headers and the length of `body`, not `body`. */
  readonly omitBody?: true;
}

/** Responses may hold data that needs a credential: no cache may keep them, and no browser may guess their type. */
const jsonHeaders = Object.freeze({
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
});

/** `body` is JSON text. */
export function jsonText(status: number, body: string | Uint8Array): ApiResponse {
  return { status, headers: jsonHeaders, body };
}

export function json(value: unknown): ApiResponse {
  return jsonText(200, JSON.stringify(value));
}

/** The shape of every error in a body. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

function errorBody({ code, message, details }: SluiceError): ErrorBody {
  return { code, message, details };
}

/** The error of one of the results in a body, where no header says when to try again. */
export function resultError(error: SluiceError): ErrorBody & { readonly retryAfterMs?: number } {
  const { retryAfterMs } = error;
  return { ...errorBody(error), retryAfterMs: retryAfterMs && Math.ceil(retryAfterMs) };
}

export function errorResponse(
  error: SluiceError,
  headers: Readonly<Record<string, string>> = {},
): ApiResponse {
  const more: Record<string, string> = { ...headers };
  if (error.retryAfterMs !== undefined) more['retry-after'] = String(Math.ceil(error.retryAfterMs / 1000));
  if (error.httpStatus === 401) more['www-authenticate'] = 'Bearer';
  return {
    status: error.httpStatus,
    headers: { ...jsonHeaders, ...more },
    body: JSON.stringify({ error: errorBody(error) }),
  };
}

/** The response to a request of this method: HEAD gets no body. */
export function forMethod(method: string, response: ApiResponse): ApiResponse {
  return method === 'HEAD' ? { ...response, omitBody: true } : response;
}
