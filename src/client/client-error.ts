import type { WireError } from '../protocol/frames.ts';

/**
 * The codes of this side of the wire, numbered from 1000 in this order, so that they never meet the gateway's. A `!`
 * says that the same call may succeed later.
 */
const localCodes =
  'timeout! disconnected! closed offline_queue_full! connection_failed! retries_over heartbeat_timeout! ' +
  'connection_ended token_failed! invalid_message listener_failed gateway_unreachable! not_a_gateway! ' +
  'upgrade_failed! http_version! answer_hidden! socket_refused invalid_url unsupported_value code_unavailable!';

type Split<Text extends string> = Text extends `${infer First} ${infer Rest}` ? First | Split<Rest> : Text;
type Unmarked<Code extends string> = Code extends `${infer Bare}!` ? Bare : Code;

/**
 * - `timeout`: no reply came in time; whether it was done is unknown. `disconnected`: the connection was lost before.
 * - `closed`: the client is closed. `offline_queue_full`: as many publications wait as may.
 * - `connection_failed`: the gateway could not be reached, or the connection was lost. `heartbeat_timeout`: nothing
 *   came from it for too long. `connection_ended`: the gateway ended it. `retries_over`: the last attempt failed.
 * - `token_failed`: there is no token. `socket_refused`: the platform refused to open a WebSocket.
 * - `gateway_unreachable`, `not_a_gateway`, `upgrade_failed`, `http_version`, `answer_hidden`: why no WebSocket opened.
 * - `code_unavailable`: code that is loaded when it is first needed did not load; it is tried again.
 * - `invalid_message`: what came is no frame. `listener_failed`: a listener threw. `invalid_url`, `unsupported_value`.
 */
export type LocalErrorCode = Unmarked<Split<typeof localCodes>>;

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

/** Without a message, that of the code. */
export function localError(code: LocalErrorCode, message = wordsOf(code), cause?: unknown): ClientError {
  const marked = localCodes.split(' ');
  const retry = marked.includes(`${code}!`);
  const number = 1000 + marked.indexOf(retry ? `${code}!` : code);
  return new ClientError({ code, number, retry, message }, cause);
}

function wordsOf(code: string): string {
  return code.replaceAll('_', ' ');
}

/** What this side refuses itself, with the numbers of `src/errors/numbers.ts`. The same call fails again. */
const refusals = {
  invalid_request: 102,
  invalid_topic: 104,
  invalid_type: 105,
  invalid_filter: 106,
  payload_too_large: 107,
  frame_too_large: 108,
} as const;

/** An error of the gateway's table that this side sees by itself. */
export function ownError(code: keyof typeof refusals, message = wordsOf(code)): ClientError {
  return new ClientError({ code, message, number: refusals[code], retry: false });
}
