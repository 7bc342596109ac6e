import type { Runtime, TimerHandle } from './runtime.ts';

export interface HeartbeatOptions {
  readonly intervalMs?: number;
  /** Without any message for so long after a ping, the connection is dead. */
  readonly timeoutMs?: number;
}

/** How the heartbeat reaches the gateway. `done` hears the pong's time, or nothing when none came in time. */
export type SendPing = (
  roundTripMs: number,
  timeoutMs: number,
  done: (timeMs: number | undefined) => void,
) => void;

export interface Pulse {
  readonly roundTripMs: number;
  /** By the local clock. */
  readonly receivedAtMs: number;
  /** The gateway's clock when it answered. */
  readonly timeMs: number;
}

/**
 * Pings on a beat while the connection is there, the first one at once; reports each round trip, and a connection on
 * which nothing moves any more. A pong may be late behind a long backlog: as long as anything arrives, it is alive.
 */
export class Heartbeat {
  #timer: TimerHandle | undefined;
  #roundTripMs = 0;
  #heardAtMs = 0;
  #run = 0;
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
    this.#send();
  }

  stop(): void {
    this.#run++;
    if (this.#timer !== undefined) this.#runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Some message came. */
  heard(): void {
    this.#heardAtMs = this.#runtime.monotonicMs();
  }

  #send(): void {
    const run = this.#run;
    const sentAtMs = this.#runtime.monotonicMs();
    this.#ping(this.#roundTripMs, this.#timeoutMs, (timeMs) => {
      if (run !== this.#run) return;
      if (timeMs === undefined && this.#heardAtMs <= sentAtMs) return this.#dead();
      if (timeMs !== undefined) this.#report(this.#runtime.monotonicMs() - sentAtMs, timeMs);
      this.#timer = this.#runtime.setTimeout(() => this.#send(), this.#intervalMs);
    });
  }

  #report(roundTripMs: number, timeMs: number): void {
    this.#roundTripMs = roundTripMs;
    this.#beat({ roundTripMs, receivedAtMs: this.#runtime.now(), timeMs });
  }
}
