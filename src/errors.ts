/**
 * Every error and close code that the gateway sends, in one table each. A peer may rely on `code`, `number` and
 * `retry`; the message is for people.
 */

interface ErrorSpec {
  readonly number: number;
  readonly http: number;
  readonly retry: boolean;
  /**
   * A fault of authentication, logged and counted as such. `credential`: the token or key is missing, wrong or out of
   * its time. `access`: it is good, or none is needed, but it does not allow this from here.
   */
  readonly auth: 'credential' | 'access' | undefined;
  readonly summary: string;
}

/** An error after which the same request fails again. */
function lasting(number: number, http: number, summary: string, auth?: ErrorSpec['auth']): ErrorSpec {
  return { number, http, retry: false, auth, summary };
}

/** An error after which the same request may succeed later. */
function passing(number: number, http: number, summary: string, auth?: ErrorSpec['auth']): ErrorSpec {
  return { number, http, retry: true, auth, summary };
}

export const errorTable = {
  invalid_frame: lasting(100, 400, 'The message is not a valid frame of the negotiated codec.'),
  unknown_command: lasting(101, 404, 'Unknown command.'),
  invalid_request: lasting(102, 400, 'A field is missing, unknown or out of range.'),
  invalid_json: lasting(
    103,
    400,
    'The body or message is not valid JSON in UTF-8, or an object has a duplicate member.',
  ),
  invalid_topic: lasting(104, 400, 'The name of the topic or pattern is invalid.'),
  invalid_type: lasting(
    105,
    400,
    'The type of the publication is invalid, or is the name of a control frame.',
  ),
  invalid_filter: lasting(106, 400, 'The filter is malformed, too large or too deep.'),
  payload_too_large: lasting(107, 413, 'The payload is larger than the limit.'),
  frame_too_large: lasting(108, 413, 'The message or body is larger than the limit.'),
  not_supported: lasting(109, 501, 'The gateway does not support this part of the protocol.'),
  unauthorized: lasting(110, 401, 'A valid token or API key is required.', 'credential'),
  token_expired: lasting(111, 401, 'The token has expired: get a new one.', 'credential'),
  token_revoked: lasting(119, 401, 'The token was revoked: get a new one.', 'credential'),
  token_not_yet_valid: passing(116, 401, 'The token is not valid yet: try again later.', 'credential'),
  token_keys_unavailable: passing(
    117,
    503,
    'The public keys of tokens could not be loaded yet: try again.',
    'credential',
  ),
  forbidden: lasting(112, 403, 'The token or API key does not permit this.', 'access'),
  denied: lasting(118, 403, 'The application refused it.'),
  origin_not_allowed: lasting(113, 403, 'The origin of the page is not allowed.', 'access'),
  local_only: lasting(
    114,
    403,
    'Without API keys this is allowed from this machine only, and the request may come from elsewhere.',
    'access',
  ),
  not_found: lasting(120, 404, 'Not found.'),
  method_not_allowed: lasting(121, 405, 'The route does not support this method.'),
  unsupported_media_type: lasting(122, 415, 'The content type of the body is not supported.'),
  unknown_subprotocol: lasting(123, 400, 'None of the offered WebSocket subprotocols is known.'),
  upgrade_required: lasting(124, 426, 'This route speaks WebSocket, and the client may connect.'),
  already_connected: lasting(130, 409, 'The session has already sent `connect`.'),
  already_subscribed: lasting(131, 409, 'The session already has this subscription.'),
  not_subscribed: lasting(132, 404, 'The session has no such subscription.'),
  message_id_conflict: lasting(
    133,
    409,
    'The messageId was already used for a different publication in this topic.',
  ),
  position_conflict: lasting(134, 409, 'The newest publication of the topic is not the expected one.'),
  job_conflict: lasting(135, 409, 'The job has ended, or its progress would go backwards.'),
  // Lasting: a publisher that tried it again would hold up the removals that make room for it.
  too_many_keys: lasting(136, 409, 'The state topic has reached its maximum number or size of keys.'),
  rate_limited: passing(140, 429, 'Too many requests or messageIds: try again later.'),
  too_many_subscriptions: passing(141, 429, 'The session has reached its maximum number of subscriptions.'),
  too_many_views: passing(
    142,
    429,
    'The maximum number of distinct views is reached, of this topic or of all.',
  ),
  too_many_connections: passing(143, 503, 'The gateway has reached its maximum number of connections.'),
  too_many_connections_from_ip: passing(
    144,
    429,
    'This address has reached its maximum number of connections.',
  ),
  too_many_connections_of_user: passing(
    145,
    429,
    'This user has reached their maximum number of connections.',
  ),
  too_many_topics: passing(146, 429, 'The maximum number of topics is reached.'),
  engine_unavailable: passing(
    150,
    503,
    'The engine could not commit the publication. With a messageId it is safe to try again.',
  ),
  shutting_down: passing(151, 503, 'The gateway is shutting down.'),
  application_unavailable: passing(153, 503, 'The application gave no valid answer in time.'),
  internal: passing(152, 500, 'An internal error; the cause is in the gateway’s log.'),
} as const;

export type ErrorCode = keyof typeof errorTable;

interface CloseSpec {
  readonly number: number;
  /** Whether the client is to reconnect. */
  readonly retry: boolean;
  readonly summary: string;
}

/** Clients reconnect after 4000 to 4499, and not after 4500 to 4999. */
function close(number: number, summary: string): CloseSpec {
  return { number, retry: number < 4500, summary };
}

export const closeTable = {
  going_away: close(4000, 'The gateway is stopping or restarting.'),
  slow_consumer: close(
    4001,
    'The client read too slowly. The client sees 1006, because nothing more can be written; logs and metrics show this code.',
  ),
  idle_timeout: close(4002, 'No message and no pong within the idle timeout. The client sees 1006.'),
  too_many_commands: close(4004, 'The client kept sending commands although the rate limit refused them.'),
  disconnected: close(4500, 'An operator ended the connection.'),
  unauthorized: close(
    4501,
    'No valid token or API key was sent in time, or the token has expired or was revoked.',
  ),
  frame_too_large: close(4502, 'A message was far larger than the limit.'),
} as const;

export type CloseCode = keyof typeof closeTable;

/** Whose credential was refused: for the log, never for the client. */
interface Who {
  /** `sub` of a token with a valid signature. */
  readonly user?: string;
  /** The name of an API key. */
  readonly key?: string;
}

/** The limit is V8's own: the types of browsers, by which the client is built, do not have it. */
const stacks = Error as { stackTraceLimit?: number };

/**
 * An error of the table. `details` go to HTTP clients; neither they nor the message may hold secrets. It has no stack:
 * it tells a client why it is refused, and a stack would take a tenth of a refused handshake
 * (`bench -- siege --only storm`).
 */
export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly details: unknown;
  readonly retryAfterMs: number | undefined;
  readonly who: Who | undefined;

  constructor(
    code: ErrorCode,
    message?: string,
    options: { details?: unknown; retryAfterMs?: number; cause?: unknown; who?: Who } = {},
  ) {
    const { stackTraceLimit } = stacks;
    stacks.stackTraceLimit = 0;
    super(
      message ?? errorTable[code].summary,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    stacks.stackTraceLimit = stackTraceLimit;
    this.name = 'SluiceError';
    this.code = code;
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
    this.who = options.who;
  }

  get number(): number {
    return errorTable[this.code].number;
  }

  get httpStatus(): number {
    return errorTable[this.code].http;
  }

  get retry(): boolean {
    return errorTable[this.code].retry;
  }

  get isAuthFault(): boolean {
    return errorTable[this.code].auth !== undefined;
  }
}

/** Throws the problem, if there is one. */
export function throwIf(problem: SluiceError | undefined): void {
  if (problem !== undefined) throw problem;
}

export function credentialNeeded(): SluiceError {
  return new SluiceError('unauthorized', 'a token or an API key is needed');
}
