import { type ClientError, localError } from './client-error.ts';
import type { ClientOptions } from './options.ts';
import type { Runtime, TimerHandle } from './runtime.ts';

/** Gets a fresh token and hands it over before the old one expires; only where the application said how to get one. */
export class TokenRefresh {
  #timer: TimerHandle | undefined;
  #run = 0;
  readonly #token: ClientOptions['token'];
  readonly #runtime: Runtime;
  readonly #port: {
    readonly send: (token: string) => Promise<{ readonly expiresMs?: number }>;
    readonly report: (error: ClientError) => void;
  };

  constructor(
    token: ClientOptions['token'],
    runtime: Runtime,
    port: {
      readonly send: (token: string) => Promise<{ readonly expiresMs?: number }>;
      readonly report: (error: ClientError) => void;
    },
  ) {
    this.#token = token;
    this.#runtime = runtime;
    this.#port = port;
  }

  /** `expiresMs` and `nowMs` by the gateway's clock. After three quarters of what is left, at most a day. */
  plan(expiresMs: number | undefined, nowMs: number): void {
    this.stop();
    const token = this.#token;
    if (!expiresMs || typeof token !== 'function') return;
    const run = this.#run;
    const delayMs = Math.min(Math.max(1_000, (expiresMs - nowMs) * 0.75), 86_400_000);
    this.#timer = this.#runtime.setTimeout(() => void this.#renew(token, run, nowMs + delayMs), delayMs);
  }

  stop(): void {
    this.#run++;
    if (this.#timer !== undefined) this.#runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #renew(token: () => string | Promise<string>, run: number, nowMs: number): Promise<void> {
    try {
      const { expiresMs } = await this.#port.send(await token());
      if (run === this.#run) this.plan(expiresMs, nowMs);
    } catch (cause) {
      // The gateway ends the session when the old token expires; the reconnect asks for a token again.
      if (run === this.#run) this.#port.report(localError('token_failed', undefined, cause));
    }
  }
}
