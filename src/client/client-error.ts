import type { WireError } from '../protocol/frames.ts';
import { gatewayNumber, mayRetry } from './gateway-errors.ts';

/**
 * The errors of this side of the wire, `code: message`, numbered from 1000 so that they never meet the gateway's. A `!`
 * says that the same call may succeed later.
 */
const localErrors = {
  timeout: '!No reply came in time; whether it was done is unknown.',
  disconnected: '!The connection was lost before the reply came.',
  closed: 'The client is closed.',
  offline_queue_full: '!The offline queue is full.',
  connection_failed: '!The gateway could not be reached.',
  retries_over: 'The last allowed attempt to connect failed.',
  heartbeat_timeout: '!Nothing came from the gateway for too long.',
  connection_ended: 'The gateway ended the connection.',
  token_failed: '!There is no token.',
  invalid_message: 'The gateway sent a message that is no frame.',
  listener_failed: 'A listener threw.',
  gateway_unreachable: '!No server responds at the URL.',
  not_a_gateway: '!The server at the URL is no Sluice gateway.',
  upgrade_failed:
    '!The gateway responds, but no WebSocket opened: a proxy drops the headers Upgrade and Connection, or the gateway has just come back.',
  http_version:
    '!A proxy speaks HTTP/1.0 to the gateway; WebSockets need 1.1 (nginx: proxy_http_version 1.1).',
  answer_hidden: '!A server responds at the URL, but not to this origin: is it in the list of origins?',
  socket_refused: 'The platform refused to open the WebSocket.',
  invalid_url: 'Not the URL of a WebSocket.',
  unsupported_value: 'The value can not be carried as it is.',
} as const;

export type LocalErrorCode = keyof typeof localErrors;

const localNumbers = Object.keys(localErrors);

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
  const [, mark, summary = ''] = /^(!?)(.*)/.exec(localErrors[code]) ?? [];
  const number = 1000 + localNumbers.indexOf(code);
  return new ClientError({ code, number, retry: mark !== '', message: message ?? summary }, cause);
}

/** An error of the gateway's table that came over HTTP, or that this side sees by itself. */
export function gatewayError(
  code: string,
  message: string,
  retryAfterMs?: number,
  cause?: unknown,
): ClientError {
  const number = gatewayNumber(code) ?? 0;
  return new ClientError({ code, message, number, retry: mayRetry(number), retryAfterMs }, cause);
}
