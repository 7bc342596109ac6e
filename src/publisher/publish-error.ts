import { type ErrorCode, errorTable } from '../errors.ts';

/** The publisher's own errors. `retry`: the same call may succeed later. */
const localErrors = {
  queue_full: { retry: true, summary: 'The queue of the publisher is full.' },
  timed_out: { retry: true, summary: 'The gateway did not acknowledge it in time.' },
  unreachable: { retry: true, summary: 'The request ended without a response.' },
  unexpected_response: { retry: false, summary: 'The response is none of a Sluice gateway.' },
  credential_failed: { retry: true, summary: 'The function that gives the credential failed.' },
  unsupported_value: { retry: false, summary: 'The value can not be carried as JSON.' },
  closed: { retry: false, summary: 'The publisher is closed.' },
} as const;

export type LocalErrorCode = keyof typeof localErrors;

interface More {
  readonly details?: unknown;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** Why a publication failed. `code` is stable; the message is for people. */
export class PublishError extends Error {
  /** A code of the gateway (`src/ERRORS.md`), or of the publisher: `queue_full`, `timed_out`, `closed` … */
  readonly code: string;
  /** The same publication may succeed later. */
  readonly retry: boolean;
  /** The invalid members, if the gateway named them. */
  readonly details: unknown;
  /** Retry only after this many milliseconds, if the gateway said so. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retry: boolean, { details, retryAfterMs, cause }: More = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PublishError';
    this.code = code;
    this.retry = retry;
    this.details = details;
    this.retryAfterMs = retryAfterMs;
  }
}

export function localError(code: LocalErrorCode, message?: string, cause?: unknown): PublishError {
  const { retry, summary } = localErrors[code];
  return new PublishError(code, message ?? summary, retry, { cause });
}

/** An argument that the gateway could not take for what it is meant to be. */
export function argumentError(message: string): PublishError {
  return new PublishError('invalid_request', message, errorTable.invalid_request.retry);
}

/** An error that the gateway returned. For a code that is not known here, `mayRetry` says whether to try again. */
export function gatewayError(code: string, message: string, mayRetry: boolean, more: More): PublishError {
  const retry = Object.hasOwn(errorTable, code) ? errorTable[code as ErrorCode].retry : mayRetry;
  return new PublishError(code, message, retry, more);
}
