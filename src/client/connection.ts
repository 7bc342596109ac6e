import type { ServerFrame } from '../protocol/frames.ts';
import { Attempt, type AttemptOptions, type AttemptParts, type Greeting } from './attempt.ts';
import type { Backoff } from './backoff.ts';
import { type ClientError, localError } from './client-error.ts';
import { type ClosedBy, mayReconnect } from './closing.ts';
import { learnRefusal, type Refusal } from './refusal.ts';
import type { TimerHandle } from './runtime.ts';

/**
 * idle → connecting → connected → reconnecting → connected …, and closed at last. `reconnecting` covers the waits and
 * attempts after a loss, and those after a first attempt that failed. Each transition is one function named `to…`.
 */
export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'closed';

export interface StateChange {
  readonly state: ConnectionState;
  readonly previous: ConnectionState;
  /** reconnecting: when the next attempt begins, by the local clock; absent while an attempt is under way. */
  readonly retryAtMs?: number;
  /** Attempts to come back in a row. */
  readonly attempts: number;
  /** Why it is `reconnecting` or `closed`. Absent when the application closed the client. */
  readonly error?: ClientError;
}

export interface ConnectionPort {
  frame(frame: ServerFrame, bytes: number): void;
  greeted(greeting: Greeting): void;
  connected(greeting: Greeting): void;
  disconnected(closed: ClosedBy): void;
  state(change: StateChange): void;
  error(error: ClientError): void;
}

export interface ConnectionOptions extends AttemptOptions {
  /** A connection that lived so long was a success: the next backoff starts anew. */
  readonly stableAfterMs: number;
}

export class Connection {
  #state: ConnectionState = 'idle';
  #attempt: Attempt | undefined;
  /** `connected` was told and `disconnected` wasn't yet. */
  #up = false;
  #timer: TimerHandle | undefined;
  #retryAtMs = 0;
  #connectedAtMs = 0;
  #goingAwayDelayMs: number | undefined;
  /** Why the last attempt or connection ended, until the next success. */
  #lastError: ClientError | undefined;
  readonly #options: ConnectionOptions;
  readonly #parts: AttemptParts;
  readonly #backoff: Backoff;
  readonly #port: ConnectionPort;

  constructor(options: ConnectionOptions, parts: AttemptParts, backoff: Backoff, port: ConnectionPort) {
    this.#options = options;
    this.#parts = parts;
    this.#backoff = backoff;
    this.#port = port;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Begins, from `idle` or `closed`; ends a wait between two attempts; otherwise nothing to do. */
  connect(): void {
    if (this.#state === 'idle' || this.#state === 'closed') this.#toConnecting();
    else if (this.#state === 'reconnecting' && this.#retryAtMs > 0) this.#toRetrying();
  }

  close(): void {
    if (this.#state === 'idle' || this.#state === 'closed') return;
    if (this.#lose({ code: 1000, reason: 'closed by the application' })) this.#toClosed();
  }

  /** The peer is gone without a word, or out of step: give this connection up and begin anew. */
  abandon(error: ClientError): void {
    if (this.#state !== 'connected') return;
    if (this.#lose({ code: 1006, reason: error.code })) this.#toReconnecting(error);
  }

  send(message: Uint8Array): void {
    this.#attempt?.send(message);
  }

  /** The gateway announced the end: how long to wait then. */
  goingAway(reconnectDelayMs: number): void {
    this.#goingAwayDelayMs = reconnectDelayMs;
  }

  // -- transitions ------------------------------------------------------------------------------------------------

  #toConnecting(): void {
    this.#backoff.reset();
    this.#begin();
    this.#enter('connecting');
  }

  #toConnected(greeting: Greeting): void {
    this.#connectedAtMs = this.#parts.runtime.now();
    this.#goingAwayDelayMs = undefined;
    this.#up = true;
    this.#port.connected(greeting);
    if (this.#up) this.#enter('connected');
  }

  #toReconnecting(error: ClientError): void {
    const livedMs = this.#parts.runtime.now() - this.#connectedAtMs;
    if (this.#state === 'connected' && livedMs >= this.#options.stableAfterMs) this.#backoff.reset();
    const delayMs = this.#backoff.next();
    if (delayMs === undefined) {
      this.#toClosed(
        this.#backoff.attempts === 0 ? error : localError('attempts_exhausted', undefined, error),
      );
      return;
    }
    const wait = Math.max(this.#goingAwayDelayMs ?? delayMs, error.retryAfterMs ?? 0);
    this.#goingAwayDelayMs = undefined;
    this.#waitFor(wait, error);
  }

  /** Still `reconnecting`, now with an attempt under way. */
  #toRetrying(): void {
    this.#stopTimer();
    this.#begin();
    this.#enter('reconnecting', this.#lastError);
  }

  #toClosed(error?: ClientError): void {
    this.#stopTimer();
    this.#enter('closed', error);
  }

  #enter(state: ConnectionState, error?: ClientError): void {
    const previous = this.#state;
    this.#state = state;
    this.#lastError = error;
    const retryAtMs = this.#retryAtMs || undefined;
    this.#port.state({ state, previous, retryAtMs, attempts: this.#backoff.attempts, error });
  }

  // -- attempts and waits -----------------------------------------------------------------------------------------

  #begin(): void {
    this.#attempt = new Attempt(this.#options, this.#parts, {
      greeted: (greeting) => this.#port.greeted(greeting),
      accepted: (greeting) => this.#toConnected(greeting),
      frame: (frame, bytes) => this.#port.frame(frame, bytes),
      invalid: (error) => this.#port.error(error),
      refused: (error) => this.#refused(error),
      failed: (error) => this.#toReconnecting(error),
      ended: (closed, opened) => this.#ended(closed, opened),
    });
  }

  #ended(closed: ClosedBy, opened: boolean): void {
    const wasConnected = this.#up;
    if (!this.#lose(closed)) return;
    const { token } = this.#options;
    // Without a refusal of the token, `unauthorized` before the connection was up means that it came too late.
    const mayHelp = wasConnected ? typeof token === 'function' : token !== undefined;
    const { error, final } = mayReconnect(closed, mayHelp);
    if (final) this.#toClosed(error);
    else this.#toReconnecting(error);
    if (!opened) void this.#askWhy();
  }

  #refused(error: ClientError): void {
    if (!this.#lose({ code: 1000, reason: error.code })) return;
    const freshToken = error.code === 'token_expired' && typeof this.#options.token === 'function';
    if (!error.retry && !freshToken) {
      this.#toClosed(error);
      return;
    }
    this.#toReconnecting(error);
  }

  /** Only worth knowing while waiting for the next attempt, or just after the last one. */
  async #askWhy(): Promise<void> {
    const { fetch } = this.#parts.runtime;
    const attempt = this.#attempt;
    const refusal = fetch && (await learnRefusal(this.#options.url, fetch));
    if (refusal && attempt === this.#attempt && this.#state === 'reconnecting') this.#learned(refusal);
  }

  #learned({ error, retryAfterMs = 0 }: Refusal): void {
    if (!error.retry) {
      this.#toClosed(error);
      return;
    }
    this.#port.error(error);
    const remainingMs = this.#retryAtMs - this.#parts.runtime.now();
    this.#waitFor(Math.max(retryAfterMs, remainingMs, 0), error);
  }

  #waitFor(delayMs: number, error: ClientError): void {
    this.#stopTimer();
    this.#retryAtMs = this.#parts.runtime.now() + delayMs;
    this.#timer = this.#parts.runtime.setTimeout(() => this.#toRetrying(), delayMs);
    this.#enter('reconnecting', error);
  }

  /** Lets go of the socket. Answers false when a listener who heard of the loss has closed or restarted the client. */
  #lose(closed: ClosedBy): boolean {
    this.#attempt?.drop(closed.reason);
    this.#attempt = undefined;
    if (!this.#up) return true;
    this.#up = false;
    const before = this.#state;
    this.#port.disconnected(closed);
    return this.#state === before && this.#attempt === undefined;
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#parts.runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#retryAtMs = 0;
  }
}
