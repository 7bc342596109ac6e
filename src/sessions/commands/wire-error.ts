import { type ErrorCode, errorTable, SluiceError } from '../../errors.ts';
import type { WireError } from '../../protocol/frames.ts';

/** An error as clients get it. One that is not of the error table becomes `internal`, without its message. */
export function wireError(error: unknown): WireError {
  if (!(error instanceof SluiceError)) return wireErrorOf('internal');
  return wireErrorOf(error.code, error.message, error.retryAfterMs);
}

export function wireErrorOf(code: ErrorCode, message?: string, retryAfterMs?: number): WireError {
  const { number, retry, summary } = errorTable[code];
  return { code, number, message: message ?? summary, retry, retryAfterMs };
}
