/**
 * Every error and close code that the gateway sends, in one table each. A peer may rely on `code`, `number` and
 * `retry`; the message is for people.
 */

interface ErrorSpec {
  readonly number: number;
  readonly http: number;
  /** The same request may succeed later. */
  readonly retry: boolean;
  /**
   * A fault of authentication, logged and counted as such. `credential`: the token or key is missing, wrong or out of
   * its time. `access`: it is good, or none is needed, but it does not allow this from here.
   */
  readonly auth?: 'credential' | 'access';
  readonly summary: string;
}

const table = {
  invalid_frame: {
    number: 100,
    http: 400,
    retry: false,
    summary: 'The message is not a valid frame of the negotiated codec.',
  },
  unknown_command: {
    number: 101,
    http: 404,
    retry: false,
    summary: 'Unknown command.',
  },
  invalid_request: {
    number: 102,
    http: 400,
    retry: false,
    summary: 'A field is missing, unknown or out of range.',
  },
  invalid_json: {
    number: 103,
    http: 400,
    retry: false,
    summary: 'The body or message is not valid JSON in UTF-8, or an object has a duplicate member.',
  },
  invalid_topic: {
    number: 104,
    http: 400,
    retry: false,
    summary: 'The name of the topic or pattern is invalid.',
  },
  invalid_type: {
    number: 105,
    http: 400,
    retry: false,
    summary: 'The type of the publication is invalid, or is the name of a control frame.',
  },
  invalid_filter: {
    number: 106,
    http: 400,
    retry: false,
    summary: 'The filter is malformed, too large or too deep.',
  },
  payload_too_large: {
    number: 107,
    http: 413,
    retry: false,
    summary: 'The payload is larger than the limit.',
  },
  frame_too_large: {
    number: 108,
    http: 413,
    retry: false,
    summary: 'The message or body is larger than the limit.',
  },
  not_supported: {
    number: 109,
    http: 501,
    retry: false,
    summary: 'The gateway does not support this part of the protocol.',
  },
  unauthorized: {
    number: 110,
    http: 401,
    retry: false,
    auth: 'credential',
    summary: 'A valid token or API key is required.',
  },
  token_expired: {
    number: 111,
    http: 401,
    retry: false,
    auth: 'credential',
    summary: 'The token has expired: get a new one.',
  },
  token_revoked: {
    number: 119,
    http: 401,
    retry: false,
    auth: 'credential',
    summary: 'The token was revoked: get a new one.',
  },
  token_not_yet_valid: {
    number: 116,
    http: 401,
    retry: true,
    auth: 'credential',
    summary: 'The token is not valid yet: try again later.',
  },
  token_keys_unavailable: {
    number: 117,
    http: 503,
    retry: true,
    auth: 'credential',
    summary: 'The public keys of tokens could not be loaded yet: try again.',
  },
  forbidden: {
    number: 112,
    http: 403,
    retry: false,
    auth: 'access',
    summary: 'The token or API key does not permit this.',
  },
  denied: {
    number: 118,
    http: 403,
    retry: false,
    summary: 'The application refused it.',
  },
  origin_not_allowed: {
    number: 113,
    http: 403,
    retry: false,
    auth: 'access',
    summary: 'The origin of the page is not allowed.',
  },
  local_only: {
    number: 114,
    http: 403,
    retry: false,
    auth: 'access',
    summary:
      'Without API keys this is allowed from this machine only, and the request may come from elsewhere.',
  },
  not_found: { number: 120, http: 404, retry: false, summary: 'Not found.' },
  method_not_allowed: {
    number: 121,
    http: 405,
    retry: false,
    summary: 'The route does not support this method.',
  },
  unsupported_media_type: {
    number: 122,
    http: 415,
    retry: false,
    summary: 'The content type of the body is not supported.',
  },
  unknown_subprotocol: {
    number: 123,
    http: 400,
    retry: false,
    summary: 'None of the offered WebSocket subprotocols is known.',
  },
  upgrade_required: {
    number: 124,
    http: 426,
    retry: false,
    summary: 'This route speaks WebSocket, and the client may connect.',
  },
  already_connected: {
    number: 130,
    http: 409,
    retry: false,
    summary: 'The session has already sent `connect`.',
  },
  already_subscribed: {
    number: 131,
    http: 409,
    retry: false,
    summary: 'The session already has this subscription.',
  },
  not_subscribed: { number: 132, http: 404, retry: false, summary: 'The session has no such subscription.' },
  message_id_conflict: {
    number: 133,
    http: 409,
    retry: false,
    summary: 'The messageId was already used for a different publication in this topic.',
  },
  position_conflict: {
    number: 134,
    http: 409,
    retry: false,
    summary: 'The newest publication of the topic is not the expected one.',
  },
  job_conflict: {
    number: 135,
    http: 409,
    retry: false,
    summary: 'The job has ended, or its progress would go backwards.',
  },
  rate_limited: {
    number: 140,
    http: 429,
    retry: true,
    summary: 'Too many requests or messageIds: try again later.',
  },
  too_many_subscriptions: {
    number: 141,
    http: 429,
    retry: true,
    summary: 'The session has reached its maximum number of subscriptions.',
  },
  too_many_views: {
    number: 142,
    http: 429,
    retry: true,
    summary: 'The maximum number of distinct views is reached, of this topic or of all.',
  },
  too_many_connections: {
    number: 143,
    http: 503,
    retry: true,
    summary: 'The gateway has reached its maximum number of connections.',
  },
  too_many_connections_from_ip: {
    number: 144,
    http: 429,
    retry: true,
    summary: 'This address has reached its maximum number of connections.',
  },
  too_many_connections_of_user: {
    number: 145,
    http: 429,
    retry: true,
    summary: 'This user has reached their maximum number of connections.',
  },
  too_many_topics: {
    number: 146,
    http: 429,
    retry: true,
    summary: 'The maximum number of topics is reached.',
  },
  too_many_keys: {
    number: 147,
    http: 429,
    retry: true,
    summary: 'The state topic has reached its maximum number or size of keys.',
  },
  engine_unavailable: {
    number: 150,
    http: 503,
    retry: true,
    summary: 'The engine could not commit the publication. With a messageId it is safe to try again.',
  },
  shutting_down: { number: 151, http: 503, retry: true, summary: 'The gateway is shutting down.' },
  application_unavailable: {
    number: 153,
    http: 503,
    retry: true,
    summary: 'The application gave no valid answer in time.',
  },
  internal: {
    number: 152,
    http: 500,
    retry: true,
    summary: 'An internal error; the cause is in the gateway’s log.',
  },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof table;
export const errorTable: Readonly<Record<ErrorCode, ErrorSpec>> = table;

interface CloseSpec {
  readonly number: number;
  /** Reconnect? 4000-4499 say yes, 4500-4999 no. */
  readonly retry: boolean;
  readonly summary: string;
}

const closes = {
  going_away: { number: 4000, retry: true, summary: 'The gateway is stopping or restarting.' },
  slow_consumer: {
    number: 4001,
    retry: true,
    summary:
      'The client read too slowly. The client sees 1006, because nothing more can be written; logs and metrics show this code.',
  },
  idle_timeout: {
    number: 4002,
    retry: true,
    summary: 'No message and no pong within the idle timeout. The client sees 1006.',
  },
  too_many_commands: {
    number: 4004,
    retry: true,
    summary: 'The client kept sending commands although the rate limit refused them.',
  },
  disconnected: { number: 4500, retry: false, summary: 'An operator ended the connection.' },
  unauthorized: {
    number: 4501,
    retry: false,
    summary: 'No valid token or API key was sent in time, or the token has expired or was revoked.',
  },
  frame_too_large: { number: 4502, retry: false, summary: 'A message was far larger than the limit.' },
} as const satisfies Record<string, CloseSpec>;

export type CloseCode = keyof typeof closes;
export const closeTable: Readonly<Record<CloseCode, CloseSpec>> = closes;

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
