import type { WireError } from '../protocol/frames.ts';

/**
 * The client's own codes, numbered from 1000 in this order: the gateway's numbers are smaller. `!` marks those for
 * which the same call may succeed later; `-` are those of `InquiryCode`.
 */
const localCodes =
  'timeout! disconnected! closed offline_queue_full! connection_failed! retries_over heartbeat_timeout! ' +
  'connection_ended token_failed! invalid_message listener_failed gateway_unreachable! - - - - ' +
  'socket_refused invalid_url unsupported_value code_unavailable!';

/** Why no WebSocket opened: raised, with their numbers, by code that is loaded when one did not. */
type InquiryCode = 'not_a_gateway' | 'upgrade_failed' | 'http_version' | 'answer_hidden';

/** Codes of the gateway's table that the client raises too, in the order of their numbers from 102; `-` for others. */
const gatewayCodes =
  'invalid_request - invalid_topic invalid_type invalid_filter payload_too_large frame_too_large';

type Split<Text extends string> = Text extends `${infer First} ${infer Rest}` ? First | Split<Rest> : Text;
type Unmarked<Code extends string> = Code extends `${infer Bare}!` ? Bare : Code;

/**
 * - `timeout`: no reply came in time. `disconnected`: the connection was lost before the reply. In both cases it is
 *   unknown whether the command was executed.
 * - `closed`: the client is closed. `offline_queue_full`: no more publications may wait.
 * - `connection_failed`: the gateway could not be reached, or the connection was lost. `heartbeat_timeout`: nothing
 *   came from it for too long. `connection_ended`: the gateway ended it. `retries_over`: the last attempt failed.
 * - `token_failed`: there is no token. `socket_refused`: the platform refused to open a WebSocket.
 * - `gateway_unreachable`, `not_a_gateway`, `upgrade_failed`, `http_version`, `answer_hidden`: why no WebSocket opened.
 * - `code_unavailable`: a part of the SDK that is loaded when first needed did not load; the client tries again.
 * - `invalid_message`: a message was not a frame. `listener_failed`: a listener threw. `invalid_url`: the URL is none
 *   of a WebSocket. `unsupported_value`: JSON can't carry the value.
 */
export type LocalErrorCode = Exclude<Unmarked<Split<typeof localCodes>>, '-'> | InquiryCode;

type RaisedCode = Exclude<LocalErrorCode, InquiryCode> | Exclude<Split<typeof gatewayCodes>, '-'>;

type Numbered = Pick<WireError, 'number' | 'retry'>;
type ErrorFields = Omit<WireError, 'message'> & { readonly message?: string | undefined };

/** Every error that the SDK rejects with or reports. `code` is stable; the message is for people. */
export class ClientError extends Error {
  readonly code: string;
  readonly number: number;
  /** The same call may succeed later. */
  readonly retry: boolean;
  /** How long the gateway asks to wait before that, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  /** Without a message it has the words of the code. */
  constructor(error: ErrorFields, cause?: unknown) {
    super(error.message || error.code.replace(/_/g, ' '), cause ? { cause } : undefined);
    this.name = 'ClientError';
    this.code = error.code;
    this.number = error.number;
    this.retry = error.retry;
    this.retryAfterMs = error.retryAfterMs || undefined;
  }
}

const raised = Object.fromEntries([...numbered(102, gatewayCodes), ...numbered(1000, localCodes)]);

function numbered(first: number, codes: string) {
  return codes
    .split(' ')
    .map((code, i) => [code.replace('!', ''), { number: first + i, retry: code.endsWith('!') }] as const);
}

/** An error that the client raises. `message`: by default that of an error that is the cause. */
export function localError(code: RaisedCode, message?: string, cause?: unknown): ClientError {
  const text = message || (cause as Partial<Error> | undefined)?.message;
  return new ClientError({ ...(raised[code] as Numbered), code, message: text }, cause);
}
