import { EventEmitter, once } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
import { nextDelay, type Patience } from './patience.ts';

/** A connection that is lost this long after the attempt began is replaced at once. */
const steadyMs = 5000;

export interface Connecting {
  /** One attempt to connect. */
  connect(): Promise<void>;
  /** An attempt to connect again has failed; there will be another one. */
  failed(cause: Error): void;
}

/** When a node tries to connect to Redis: as it starts, and again whenever a connection is lost. */
export class Reconnecting {
  readonly #connecting: Connecting;
  readonly #patience: Patience;
  /** Emits `over` after each attempt to connect again, with its error if it has failed. */
  readonly #attempts = new EventEmitter();
  readonly #closing = new AbortController();
  /** When the newest attempt began. */
  #beganMs = 0;
  /** The delay before the next attempt. */
  #delayMs = 0;
  #isLost = false;
  #attempting: Promise<void> | undefined;

  constructor(connecting: Connecting, patience: Patience) {
    this.#connecting = connecting;
    this.#patience = patience;
  }

  /** Aborted once `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Rejects where a start should wait no longer. Redis may be about to start, or to move what is asked for. */
  async first(signal: AbortSignal | undefined): Promise<void> {
    const beganMs = performance.now();
    for (let delayMs = nextDelay(0); ; delayMs = nextDelay(delayMs)) {
      try {
        await this.#connect();
        return;
      } catch (error) {
        signal?.throwIfAborted();
        const cause = await this.#patience.explained(error as Error);
        this.#patience.wait(cause, performance.now() + delayMs - beganMs);
        await after(delayMs);
      }
    }
  }

  /** The connection is lost. */
  again(): void {
    // Where each connection fails at once, as with a log that others have written to, tries must not come at once.
    const isSteady = performance.now() - this.#beganMs > steadyMs;
    this.#delayMs = isSteady ? 0 : nextDelay(this.#delayMs);
    this.#isLost = true;
    this.#attempting ??= this.#attempt();
  }

  /** Resolves after the next attempt of a start that lost Redis at `sinceMs`; rejects if it should wait no longer. */
  async next(sinceMs: number, signal: AbortSignal | undefined): Promise<void> {
    const [failure] = (await once(this.#attempts, 'over')) as [Error | undefined];
    signal?.throwIfAborted();
    if (failure !== undefined) this.#patience.wait(failure, performance.now() + this.#delayMs - sinceMs);
  }

  /** No attempt begins any more. Resolves when there is none under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#attempting;
  }

  #connect(): Promise<void> {
    this.#beganMs = performance.now();
    return this.#connecting.connect();
  }

  async #attempt(): Promise<void> {
    // A connection may be lost before the attempt that made it has resolved.
    while (this.#isLost && !this.closing.aborted) {
      try {
        await after(this.#delayMs, undefined, { signal: this.closing });
        this.#isLost = false;
        await this.#connect();
        this.#attempts.emit('over');
      } catch (error) {
        this.#isLost = true;
        if (!this.closing.aborted) this.#connecting.failed(error as Error);
        this.#attempts.emit('over', error);
        this.#delayMs = nextDelay(this.#delayMs);
      }
    }
    this.#attempting = undefined;
  }
}
