import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import { type ClientError, localError } from '../client-error.ts';
import { needsOtherCredential } from '../gateway-errors.ts';
import { stableAfterMs, staleAttemptMs } from '../limits.ts';
import type { Runtime } from '../runtime.ts';
import { Timer } from '../timer.ts';
import type { Backoff } from './backoff.ts';
import { type ClosedBy, isFinal } from './close-code.ts';
import {
  type Greeting,
  SocketSession,
  type SocketSessionOptions,
  type SocketSessionPort,
} from './socket-session.ts';

/**
 * idle → connecting → connected → reconnecting → connected …, and closed at last. `reconnecting` covers the
 * waits and attempts after a loss, and those after a first attempt that failed. Each transition is one
 * function named `to…`.
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
  /** The code of `error`. */
  readonly reason?: string;
}

export interface ConnectionPort {
  /** As of `SocketSessionPort`. */
  greeted(): void;
  frame(frame: ServerFrame, message: unknown): void;
  connected(greeting: Greeting): void;
  disconnected(closed: ClosedBy): void;
  state(change: StateChange): void;
  report(error: ClientError): void;
  /** An attempt to connect has failed for this reason, as far as it can be found out. */
  failed(error: ClientError): void;
  /**
   * No WebSocket opened, and a browser doesn't say why. Calls `failed` or `toReconnecting` of the connection. If the
   * method is absent the connection calls `failed` itself.
   */
  unopened?(error: ClientError): void;
}

export class Connection implements SocketSessionPort {
  #state: ConnectionState = 'idle';
  #socketSession: SocketSession | undefined;
  /** `connected` was reported, and `disconnected` not yet. */
  #up = false;
  /** When the attempt that was planned last begins or began, on the monotonic clock. */
  waitsUntilMs = 0;
  /** The gateway named the delay: only the application may cut it short. */
  #waitIsTold = false;
  #beganAtMs = 0;
  /** Incremented when an inquiry into a failure becomes obsolete. */
  run = 0;
  /** On the monotonic clock; 0: never. */
  connectedAtMs = 0;
  /** Replaces the backoff's next delay: the gateway named it, or it is 0 because the network has changed. */
  #nextDelayMs: number | undefined;
  /** Why the last attempt or connection ended, until the next success. */
  #lastError: ClientError | undefined;
  readonly #options: SocketSessionOptions;
  readonly #runtime: Runtime;
  readonly #backoff: Backoff;
  readonly #timer: Timer;
  readonly port: ConnectionPort;

  constructor(options: SocketSessionOptions, backoff: Backoff, port: ConnectionPort) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#backoff = backoff;
    this.#timer = new Timer(options.runtime);
    this.port = port;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Ends a wait between two attempts, or connects where there is no socket, as in a listener to `disconnect`. */
  connect(): void {
    if (this.#timer.isSet) this.#toRetrying();
    else if (!this.#socketSession) this.#toConnecting();
  }

  /**
   * The network or the page has changed: a wait ends, and an older attempt is started again. A delay that the gateway
   * named holds.
   */
  woke(): void {
    if (this.#timer.isSet) {
      if (!this.#waitIsTold) this.#toRetrying();
    } else if (this.#socketSession && !this.#up) {
      if (this.#runtime.monotonicMs() - this.#beganAtMs < staleAttemptMs) this.#nextDelayMs = 0;
      else {
        this.#socketSession.drop('woke');
        this.#begin();
      }
    }
  }

  close(): void {
    if (this.#state === 'idle' || this.#state === 'closed') return;
    this.run++;
    if (this.#lose({ code: 1000, reason: 'closed' })) this.#toClosed();
  }

  /** Drops this connection, because the gateway is silent or out of step, and reconnects; without an error, at once. */
  abandon(error?: ClientError): void {
    if (this.#state !== 'connected') return;
    if (!this.#lose({ code: error ? 1006 : 1000, reason: error?.code ?? '' })) return;
    if (error) this.toReconnecting(error);
    else this.#toRetrying();
  }

  send(frame: ClientFrame, message: Uint8Array | string): void {
    this.#socketSession?.send(frame, message);
  }

  /** The gateway announced that it will close the connection, and the delay before the next attempt. */
  goingAway(reconnectDelayMs: number): void {
    this.#nextDelayMs = reconnectDelayMs;
  }

  // -- transitions ------------------------------------------------------------------------------------

  #toConnecting(): void {
    this.#backoff.reset();
    this.#begin();
    this.#enter('connecting');
  }

  accepted(greeting: Greeting): void {
    this.connectedAtMs = this.#runtime.monotonicMs();
    this.#nextDelayMs = undefined;
    this.#up = true;
    this.port.connected(greeting);
    if (this.#up) this.#enter('connected');
  }

  toReconnecting(error: ClientError): void {
    const livedMs = this.#runtime.monotonicMs() - this.connectedAtMs;
    if (this.#state === 'connected' && livedMs >= stableAfterMs) this.#backoff.reset();
    const delayMs = this.#backoff.next();
    if (delayMs === undefined) {
      this.#toClosed(this.#backoff.attempts === 0 ? error : localError('retries_over', undefined, error));
      return;
    }
    const isTold = Boolean(this.#nextDelayMs || error.retryAfterMs);
    const waitMs = Math.max(this.#nextDelayMs ?? delayMs, error.retryAfterMs ?? 0);
    this.#nextDelayMs = undefined;
    this.waitFor(waitMs, error, isTold);
  }

  /** Still `reconnecting`, now with an attempt under way. */
  #toRetrying(): void {
    this.#timer.stop();
    this.#begin();
    this.#enter('reconnecting', this.#lastError);
  }

  #toClosed(error?: ClientError): void {
    this.#timer.stop();
    this.#enter('closed', error);
  }

  #enter(state: ConnectionState, error?: ClientError, retryAtMs?: number): void {
    const previous = this.#state;
    this.#state = state;
    this.#lastError = error;
    const { attempts } = this.#backoff;
    this.port.state({ state, previous, retryAtMs, attempts, error, reason: error?.code });
  }

  // -- attempts and waits -----------------------------------------------------------------------------

  #begin(): void {
    this.run++;
    this.#beganAtMs = this.#runtime.monotonicMs();
    this.#socketSession = new SocketSession(this.#options, this);
  }

  /** `cause`: why, where it is known. */
  ended(closed: ClosedBy, opened: boolean, cause?: ClientError): void {
    const wasConnected = this.#up;
    if (!this.#lose(closed)) return;
    const { token } = this.#options;
    // Before the connection was up, `unauthorized` without a refusal of the token means that the token came too late.
    const mayHelp = wasConnected ? typeof token === 'function' : Boolean(token);
    // The gateway gives the name of the code as the reason.
    const why = closed.reason || `close code ${closed.code}`;
    const error = cause ?? localError('connection_failed', `Connection lost: ${why}`);
    if (isFinal(closed, mayHelp)) this.#toClosed(localError('connection_ended', why));
    else if (wasConnected) this.toReconnecting(error);
    else if (opened || !this.port.unopened) this.failed(error);
    else this.port.unopened(error);
  }

  /** An attempt has failed. If the gateway has refused the token, another one may succeed. */
  failed(error: ClientError, isRefused = false): void {
    this.#socketSession = undefined;
    this.port.failed(error);
    const freshToken =
      isRefused && needsOtherCredential(error.code) && typeof this.#options.token === 'function';
    if (error.retry || freshToken) this.toReconnecting(error);
    else this.#toClosed(error);
  }

  /** Plans the next attempt, in place of one that is planned. `isTold`: the gateway named the delay. */
  waitFor(delayMs: number, error: ClientError, isTold: boolean): void {
    this.#waitIsTold = isTold;
    this.waitsUntilMs = this.#runtime.monotonicMs() + delayMs;
    this.#timer.set(delayMs, () => this.#toRetrying());
    this.#enter('reconnecting', error, this.#runtime.now() + delayMs);
  }

  /** Drops the socket. Returns false if a listener to `disconnected` has closed or restarted the client. */
  #lose(closed: ClosedBy): boolean {
    this.#socketSession?.drop(closed.reason);
    this.#socketSession = undefined;
    if (!this.#up) return true;
    this.#up = false;
    const before = this.#state;
    this.port.disconnected(closed);
    return this.#state === before && this.#socketSession === undefined;
  }
}
