import type { Runtime, TimerHandle } from '../runtime.ts';

export interface HeartbeatOptions {
  readonly intervalMs?: number;
  /** Without any message for this long after a ping, the connection is dead. */
  readonly timeoutMs?: number;
}

/**
 * Sends a ping. `done` gets the pong's time, `alive` when the reply was another one (the rate is limited), or `silent`
 * when no reply came in time.
 */
export type SendPing = (
  roundTripMs: number,
  timeoutMs: number,
  done: (reply: number | 'alive' | 'silent') => void,
) => void;

const probeTimeoutMs = 2_000;

export interface Pulse {
  readonly roundTripMs: number;
  /** On the monotonic clock. */
  readonly receivedAtMs: number;
  /** The gateway's clock when it replied. */
  readonly timeMs: number;
}

/**
 * Pings on a beat while the connection is there, the first one at once; reports each round trip, and a
 * connection that is silent. A pong may be late after a long backlog: while anything arrives, the connection is alive.
 */
export class Heartbeat {
  #timer: TimerHandle | undefined;
  #roundTripMs = 0;
  #heardAtMs = 0;
  #run = 0;
  #running = false;
  #probing = false;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #runtime: Runtime;
  readonly #ping: SendPing;
  readonly #beat: (pulse: Pulse) => void;
  readonly #dead: () => void;

  constructor(
    options: HeartbeatOptions,
    runtime: Runtime,
    port: { readonly ping: SendPing; readonly beat: (pulse: Pulse) => void; readonly dead: () => void },
  ) {
    this.#intervalMs = options.intervalMs ?? 30_000;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#runtime = runtime;
    this.#ping = port.ping;
    this.#beat = port.beat;
    this.#dead = port.dead;
  }

  start(): void {
    this.stop();
    this.#running = true;
    this.#send(this.#timeoutMs);
  }

  /** Asks at once, with less patience: the surroundings have changed. */
  probe(): void {
    if (!this.#running || this.#probing) return;
    this.stop();
    this.#running = true;
    this.#probing = true;
    this.#send(Math.min(this.#timeoutMs, probeTimeoutMs));
  }

  stop(): void {
    this.#run++;
    this.#running = false;
    this.#probing = false;
    if (this.#timer !== undefined) this.#runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Some message came. */
  heard(): void {
    this.#heardAtMs = this.#runtime.monotonicMs();
  }

  #send(timeoutMs: number): void {
    const run = this.#run;
    const sentAtMs = this.#runtime.monotonicMs();
    this.#ping(this.#roundTripMs, timeoutMs, (reply) => {
      if (run !== this.#run) return;
      this.#probing = false;
      if (reply === 'silent' && this.#heardAtMs <= sentAtMs) return this.#dead();
      if (typeof reply === 'number') this.#report(this.#runtime.monotonicMs() - sentAtMs, reply);
      this.#timer = this.#runtime.setTimeout(() => this.#send(this.#timeoutMs), this.#intervalMs);
    });
  }

  #report(roundTripMs: number, timeMs: number): void {
    this.#roundTripMs = roundTripMs;
    this.#beat({ roundTripMs, receivedAtMs: this.#runtime.monotonicMs(), timeMs });
  }
}
