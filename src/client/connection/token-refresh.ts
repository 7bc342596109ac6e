import { ClientError, localError } from '../client-error.ts';
import type { ClientOptions } from '../options.ts';
import type { Runtime, TimerHandle } from '../runtime.ts';
import { Backoff } from './backoff.ts';
import { checkedToken } from './socket-session.ts';

export interface TokenRefreshPort {
  /** Rejects with the gateway's refusal. */
  send(token: string): Promise<{ readonly expiresMs?: number }>;
  /** The gateway has taken a new token. */
  refreshed(): void;
  report(error: ClientError): void;
}

const aDayMs = 86_400_000;

/**
 * Gets a fresh token and hands it over before the old one expires; only where the application said how to get
 * one. Where that fails it is tried again, and the old token holds until it expires: then the gateway ends
 * the connection, and the next one asks too.
 */
export class TokenRefresh {
  #timer: TimerHandle | undefined;
  #run = 0;
  readonly #backoff: Backoff;
  readonly #token: ClientOptions['token'];
  readonly #runtime: Runtime;
  readonly #port: TokenRefreshPort;

  constructor(token: ClientOptions['token'], runtime: Runtime, port: TokenRefreshPort) {
    this.#token = token;
    this.#runtime = runtime;
    this.#port = port;
    this.#backoff = new Backoff({}, () => runtime.random());
  }

  /**
   * `expiresMs` and `nowMs` by the gateway's clock. Refreshes after three quarters of the time that is left, at most a
   * day.
   */
  plan(expiresMs: number | undefined, nowMs: number): void {
    this.stop();
    this.#backoff.reset();
    const token = this.#token;
    if (!expiresMs || typeof token !== 'function') return;
    this.#after(Math.min(Math.max(1_000, (expiresMs - nowMs) * 0.75), aDayMs), token, nowMs);
  }

  stop(): void {
    this.#run++;
    if (this.#timer !== undefined) this.#runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #after(delayMs: number, token: () => string | Promise<string>, nowMs: number): void {
    const run = this.#run;
    const startMs = this.#runtime.monotonicMs();
    this.#timer = this.#runtime.setTimeout(() => {
      void this.#renew(token, run, () => nowMs + this.#runtime.monotonicMs() - startMs);
    }, delayMs);
  }

  async #renew(token: () => string | Promise<string>, run: number, nowMs: () => number): Promise<void> {
    try {
      const fresh = checkedToken(await token());
      if (run !== this.#run) return;
      if (!fresh) throw new TypeError('There is no token');
      const { expiresMs } = await this.#port.send(fresh);
      if (run !== this.#run) return;
      this.plan(expiresMs, nowMs());
      this.#port.refreshed();
    } catch (cause) {
      if (run !== this.#run) return;
      // First: a listener that hears of it may close the client.
      this.#after(this.#backoff.next() ?? aDayMs, token, nowMs());
      const why = cause instanceof ClientError ? cause.message : undefined;
      this.#port.report(localError('token_failed', why && `The new token is refused: ${why}`, cause));
    }
  }
}
