import type { Config } from '../config.ts';
import { reconnectSpreadMs } from './environment.ts';

/** A gateway that is restarted listens after about this time. */
const restartMs = 1000;

/** Whether the gateway is draining, and when its clients should come back. */
export class Draining {
  readonly #config: Pick<Config, 'drainSeconds'>;
  readonly #monotonicMs: () => number;
  #endsAtMs: number | undefined;

  constructor(config: Pick<Config, 'drainSeconds'>, monotonicMs: () => number) {
    this.#config = config;
    this.#monotonicMs = monotonicMs;
  }

  get isOn(): boolean {
    return this.#endsAtMs !== undefined;
  }

  /** The time over which clients are asked to disconnect. */
  get overMs(): number {
    return this.#config.drainSeconds * 1000;
  }

  /** The time over which clients are asked to spread their reconnects. */
  get spreadMs(): number {
    return Math.max(reconnectSpreadMs, this.overMs);
  }

  begin(): void {
    this.#endsAtMs = this.#monotonicMs() + this.overMs;
  }

  /** The delay of a client until after the drain, different for each call. */
  afterMs(): number {
    const leftMs = Math.max(0, (this.#endsAtMs ?? 0) - this.#monotonicMs());
    return leftMs + restartMs + Math.random() * this.spreadMs;
  }
}
