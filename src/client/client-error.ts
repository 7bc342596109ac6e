import { type ErrorCode, errorTable } from '../errors.ts';
import type { WireError } from '../protocol/frames.ts';

/**
 * What can go wrong on this side of the wire. Numbers from 1000 up, so that they never meet the gateway's.
 */
const localErrors = {
  timeout: { number: 1000, retry: true, summary: 'No reply came in time; whether it was done is unknown.' },
  disconnected: { number: 1001, retry: true, summary: 'The connection was lost before the reply came.' },
  closed: { number: 1002, retry: false, summary: 'The client is closed.' },
  offline_queue_full: { number: 1003, retry: true, summary: 'As many publications wait as may.' },
  connection_failed: { number: 1004, retry: true, summary: 'The gateway could not be reached.' },
  retries_over: { number: 1005, retry: false, summary: 'The last allowed attempt to connect failed.' },
  heartbeat_timeout: { number: 1006, retry: true, summary: 'Nothing came from the gateway for too long.' },
  connection_ended: { number: 1007, retry: false, summary: 'The gateway ended the connection for good.' },
  token_failed: { number: 1008, retry: true, summary: 'The token could not be had.' },
  invalid_message: { number: 1009, retry: false, summary: 'The gateway sent what is no frame.' },
  listener_failed: { number: 1010, retry: false, summary: 'A listener or callback threw.' },
  gateway_unreachable: { number: 1011, retry: true, summary: 'Nothing answers at the URL of the gateway.' },
  not_a_gateway: { number: 1012, retry: true, summary: 'What answers at the URL is no Sluice gateway.' },
  upgrade_failed: {
    number: 1013,
    retry: true,
    summary:
      'The gateway answers, but no WebSocket opened: a proxy in between drops the headers Upgrade and Connection, or ' +
      'the gateway has only just come back.',
  },
  http_version: {
    number: 1014,
    retry: true,
    summary:
      'A proxy in between speaks HTTP/1.0 to the gateway; WebSockets need 1.1 (nginx: proxy_http_version 1.1).',
  },
  answer_hidden: {
    number: 1015,
    retry: true,
    summary:
      'Something answers at the URL, but not to pages of this origin: it may be missing from the list of origins.',
  },
  socket_refused: {
    number: 1016,
    retry: false,
    summary: 'The platform refused to open the WebSocket.',
  },
  invalid_url: { number: 1017, retry: false, summary: 'The URL is none of a WebSocket.' },
  unsupported_value: { number: 1018, retry: false, summary: 'A value can not be carried as it is.' },
} as const satisfies Record<string, { number: number; retry: boolean; summary: string }>;

export type LocalErrorCode = keyof typeof localErrors;

/** Every error that the SDK rejects with or reports. `code` is stable; the message is for people. */
export class ClientError extends Error {
  readonly code: string;
  readonly number: number;
  /** The same call may succeed later. */
  readonly retry: boolean;
  /** ... but not before this many milliseconds, where the gateway said so. */
  readonly retryAfterMs: number | undefined;

  constructor(error: WireError, cause?: unknown) {
    super(error.message, cause === undefined ? undefined : { cause });
    this.name = 'ClientError';
    this.code = error.code;
    this.number = error.number;
    this.retry = error.retry;
    this.retryAfterMs = error.retryAfterMs || undefined;
  }
}

export function localError(code: LocalErrorCode, message?: string, cause?: unknown): ClientError {
  const { number, retry, summary } = localErrors[code];
  return new ClientError({ code, number, retry, message: message ?? summary }, cause);
}

/** An error of the gateway's table that came over HTTP, or that this side sees by itself. */
export function gatewayError(
  code: string,
  message: string,
  retryAfterMs?: number,
  cause?: unknown,
): ClientError {
  const spec = errorTable[code as ErrorCode] as (typeof errorTable)[ErrorCode] | undefined;
  return new ClientError(
    {
      code,
      message,
      number: spec?.number ?? 0,
      retry: spec?.retry ?? true,
      retryAfterMs,
    },
    cause,
  );
}
