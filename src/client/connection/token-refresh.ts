import type { Timer } from '../timer.ts';
import type { Backoff } from './backoff.ts';

export interface TokenRefreshPort {
  readonly timer: Timer;
  readonly backoff: Backoff;
  monotonicMs(): number;
  /** The application's next token. */
  ask(): Promise<string | undefined>;
  /** Rejects with the gateway's refusal. */
  send(token: string): Promise<{ readonly expiresMs?: number }>;
  /** The gateway has taken a new token. */
  refreshed(): void;
  /** There is no fresh token; `message` where the gateway said why. */
  failed(message: string | undefined, cause: unknown): void;
}

const aDayMs = 86_400_000;

/**
 * Gets a fresh token and hands it over before the old one expires; only where the application said how to get
 * one. Where that fails it is tried again, and the old token holds until it expires: then the gateway ends
 * the connection, and the next one asks too.
 */
export class TokenRefresh {
  #run = 0;
  readonly #port: TokenRefreshPort;

  constructor(port: TokenRefreshPort) {
    this.#port = port;
  }

  /**
   * `expiresMs` and `nowMs` by the gateway's clock. Refreshes after three quarters of the time that is left, at most a
   * day.
   */
  plan(expiresMs: number | undefined, nowMs: number): void {
    this.stop();
    this.#port.backoff.reset();
    if (expiresMs) this.#after(Math.min(Math.max(1_000, (expiresMs - nowMs) * 0.75), aDayMs), nowMs);
  }

  stop(): void {
    this.#run++;
    this.#port.timer.stop();
  }

  #after(delayMs: number, nowMs: number): void {
    const { timer, monotonicMs } = this.#port;
    const startMs = monotonicMs();
    timer.set(delayMs, () => void this.#renew(() => nowMs + monotonicMs() - startMs));
  }

  async #renew(nowMs: () => number): Promise<void> {
    const { backoff, ask, send, refreshed, failed } = this.#port;
    const run = this.#run;
    try {
      const fresh = await ask();
      if (run !== this.#run) return;
      if (!fresh) throw new TypeError('There is no token');
      const { expiresMs } = await send(fresh);
      if (run !== this.#run) return;
      this.plan(expiresMs, nowMs());
      refreshed();
    } catch (cause) {
      if (run !== this.#run) return;
      // First: a listener that hears of it may close the client.
      this.#after(backoff.next() ?? aDayMs, nowMs());
      const { name, message } = cause as Partial<Error>;
      failed(name === 'ClientError' ? `The new token is refused: ${message}` : undefined, cause);
    }
  }
}
