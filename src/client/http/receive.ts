import type { Subscription, WireError } from '../../protocol/frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import { errorOfStatus, readError, retryAfterMsOf } from '../told-error.ts';
import { EventReader } from './event-reader.ts';
import { readHttpFrame } from './json-frames.ts';

/** Receives frames until the gateway ends them. Throws if the connection is lost. */
export type Receive = (request: ReceiveRequest) => Promise<void>;

/** Where requests go, with which credential. */
export interface Target {
  readonly base: string;
  readonly fetch: typeof fetch;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ReceiveRequest extends Target {
  readonly subscriptions: readonly Subscription[];
  /** The client acknowledges by requests of its own. */
  readonly acks: boolean;
  /** The session that the client had before. */
  readonly former: string | undefined;
  readonly signal: AbortSignal;
  /** `cursor`: everything up to and including this frame was received. */
  frame(frame: ServerFrame, cursor: string | undefined): void;
  /** Everything up to this cursor was received. */
  covered(cursor: string): void;
  /** Something came from the gateway. */
  heard(): void;
  /**
   * Resolves once the client has taken all of that. More is read only then: what waits, the gateway holds, and bounds.
   */
  taken(): Promise<void>;
}

/** What one connection of a client over HTTP leaves to the next. */
export interface HttpMemory {
  /** The last session: for a while a gateway keeps the session of polls for its client. */
  session?: string;
}

/** The gateway refused the request. */
export class RefusalError extends Error {
  readonly error: WireError;

  constructor(error: WireError) {
    super(error.message);
    this.error = error;
  }
}

/** No response came. */
export class UnansweredError extends Error {}

/**
 * Makes a request: a POST if there is a body, which is JSON. Throws `UnansweredError`; at a status of failure
 * `RefusalError`.
 */
export async function request(
  { base, fetch, headers }: Target,
  path: string,
  body: string | undefined,
  options: RequestInit,
): Promise<Response> {
  const how = body
    ? { method: 'POST', body, headers: { ...headers, 'content-type': 'application/json' } }
    : { headers };
  const response = await fetch(base + path, { ...how, ...options }).catch((cause: Error) => {
    throw new UnansweredError(cause.message, { cause });
  });
  if (response.ok) return response;
  throw new RefusalError(
    (await readError(response)) ?? {
      ...errorOfStatus(response.status, base + path),
      retry: true,
      retryAfterMs: retryAfterMsOf(response),
    },
  );
}

function post(to: ReceiveRequest, path: string, body: object): Promise<Response> {
  return request(to, path, JSON.stringify(body), { cache: 'no-store', signal: to.signal });
}

/** Receives frames as Server-Sent Events. */
export const receiveStream: Receive = async (request) => {
  const { subscriptions, acks } = request;
  const response = await post(request, 'sse', { subscriptions, acks });
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  const events = new EventReader();
  for (;;) {
    const piece = await reader?.read();
    if (!piece || piece.done) return;
    request.heard();
    for (const { id, data } of events.read(decoder.decode(piece.value, { stream: true }))) {
      request.frame(readHttpFrame(JSON.parse(data) as Record<string, unknown>), id);
    }
    await request.taken();
  }
};

/** Receives frames by polls. `intervalMs` 0: the gateway holds each poll until it has something to send. */
export const receivePolls =
  (intervalMs: number, wait: (delayMs: number, signal: AbortSignal) => Promise<void>): Receive =>
  async (request) => {
    let cursor: string | undefined;
    const timeoutSeconds = intervalMs > 0 ? 0 : longPollSeconds;
    for (;;) {
      const response = await post(request, 'poll', {
        subscriptions: request.subscriptions,
        timeoutSeconds: cursor === undefined ? 0 : timeoutSeconds,
        cursor,
        acks: request.acks,
        former: cursor === undefined ? request.former : undefined,
      });
      const { events, cursor: next } = await readPoll(response);
      request.heard();
      cursor = next;
      for (const event of events) request.frame(readHttpFrame(event), undefined);
      request.covered(cursor);
      await request.taken();
      if (intervalMs > 0) await wait(intervalMs, request.signal);
    }
  };

interface PollResult {
  readonly events: readonly Record<string, unknown>[];
  /** Of the next poll. */
  readonly cursor: string;
}

/** Throws if there is no cursor: another server has responded, and polling it would not wait for anything. */
async function readPoll(response: Response): Promise<PollResult> {
  const isEmpty = response.status === 204;
  const { events, cursor }: { readonly [K in keyof PollResult]?: PollResult[K] | null } = isEmpty
    ? { events: [], cursor: response.headers.get('sluice-cursor') }
    : await response.json();
  if (!events || !cursor) throw new TypeError('no cursor');
  return { events, cursor };
}

/** Shorter than the time that proxies wait for a response by default. */
const longPollSeconds = 25;
