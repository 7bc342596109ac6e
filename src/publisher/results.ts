import type { GatewayResponse } from './connection.ts';
import { gatewayError, localError, type PublishError } from './publish-error.ts';

type Members = Readonly<Record<string, unknown>>;

/** What the gateway says of one entry, or its error. */
export type Result = Members | PublishError;

/**
 * The result of each of `count` entries that were sent together, or one error for all of them. `isBatch`: the body was
 * an array.
 */
export function resultsOf(
  response: GatewayResponse,
  count: number,
  isBatch: boolean,
): readonly Result[] | PublishError {
  const body = parsed(response.text);
  if (response.status < 200 || response.status > 299) return refusalOf(response, body);
  const results = isBatch ? body?.['results'] : [body];
  if (!Array.isArray(results) || results.length !== count || !results.every(isResult))
    return localError('unexpected_response', `${response.status} without a result for each publication`);
  return results.map((result) => ('error' in result ? itemError(result['error']) : result));
}

/** Any other object is not the gateway's: taken for an acknowledgement, it would lose the publication. */
function isResult(value: unknown): value is Members {
  if (!isMembers(value)) return false;
  const { epoch, offset } = value;
  return 'error' in value || (typeof epoch === 'string' && typeof offset === 'number');
}

function refusalOf({ status, retryAfterMs }: GatewayResponse, body: Members | undefined): PublishError {
  // A proxy may respond for a gateway that is down.
  const mayRetry = status === 408 || status === 429 || status >= 500;
  const error = errorOf(body?.['error']);
  if (error !== undefined)
    return gatewayError(error.code, error.message, mayRetry, { details: error.details, retryAfterMs });
  if (status === 413)
    return gatewayError('frame_too_large', 'a proxy takes no request of this size', false, {});
  const message = `the response has status ${status} and no error of a gateway`;
  return gatewayError('unexpected_response', message, mayRetry, { retryAfterMs });
}

function itemError(value: unknown): PublishError {
  const error = errorOf(value);
  if (error === undefined) return localError('unexpected_response', 'a result is an error without a code');
  const { code, message, details, retryAfterMs } = error;
  return gatewayError(code, message, false, { details, retryAfterMs });
}

function errorOf(value: unknown) {
  if (!isMembers(value)) return undefined;
  const { code, message, details, retryAfterMs: told } = value;
  if (typeof code !== 'string') return undefined;
  const retryAfterMs = typeof told === 'number' && told >= 0 ? told : undefined;
  return { code, message: String(message), details, retryAfterMs };
}

function parsed(text: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isMembers(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
