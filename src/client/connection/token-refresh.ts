import type { Runtime } from '../runtime.ts';
import type { Timer } from '../timer.ts';
import type { Backoff } from './backoff.ts';

/** The client whose tokens these are. */
export interface TokenRefreshPort {
  readonly runtime: Pick<Runtime, 'monotonicMs'>;
  /** Rejects with the gateway's refusal. */
  request(kind: 'refresh', fields: { readonly token: string }): Promise<{ readonly expiresMs?: number }>;
  /** The gateway has taken a new token, by which refused subscriptions may be granted. */
  readonly subscriptions: { askRefused(): void };
  /** There is no fresh token; `message` where the gateway said why. */
  tokenFailed(message: string | undefined, cause: unknown): void;
}

const aDayMs = 86_400_000;

/**
 * Gets a fresh token from the application and hands it over before the old one expires. A failure is tried again with a
 * backoff, while the old token stays valid. When that expires the gateway ends the connection, and the next attempt to
 * connect asks for a token too.
 */
class TokenRefresh {
  #run = 0;
  readonly #token: () => string | Promise<string>;
  readonly #timer: Timer;
  readonly #backoff: Backoff;
  readonly #port: TokenRefreshPort;

  /** `token`: gets the application's next one. */
  constructor(token: () => string | Promise<string>, timer: Timer, backoff: Backoff, port: TokenRefreshPort) {
    this.#token = token;
    this.#timer = timer;
    this.#backoff = backoff;
    this.#port = port;
  }

  /**
   * `expiresMs` and `nowMs` by the gateway's clock. Refreshes after three quarters of the time that is left, at most a
   * day.
   */
  plan(expiresMs: number | undefined, nowMs: number): void {
    this.stop();
    this.#backoff.reset();
    if (expiresMs) this.#after(Math.min(Math.max(1_000, (expiresMs - nowMs) * 0.75), aDayMs), nowMs);
  }

  stop(): void {
    this.#run++;
    this.#timer.stop();
  }

  #after(delayMs: number, nowMs: number): void {
    const { runtime } = this.#port;
    const startMs = runtime.monotonicMs();
    this.#timer.set(delayMs, () => void this.#renew(() => nowMs + runtime.monotonicMs() - startMs));
  }

  async #renew(nowMs: () => number): Promise<void> {
    const run = this.#run;
    try {
      const token: unknown = await this.#token();
      if (run !== this.#run) return;
      if (typeof token !== 'string' || !token) throw new TypeError('There is no token');
      const { expiresMs } = await this.#port.request('refresh', { token });
      if (run !== this.#run) return;
      this.plan(expiresMs, nowMs());
      this.#port.subscriptions.askRefused();
    } catch (cause) {
      if (run !== this.#run) return;
      // Planned first, because a listener to the error may close the client.
      this.#after(this.#backoff.next() ?? aDayMs, nowMs());
      const { name, message } = cause as Partial<Error>;
      const why = name === 'ClientError' ? `The new token is refused: ${message}` : undefined;
      this.#port.tokenFailed(why, cause);
    }
  }
}

export { TokenRefresh as code };
