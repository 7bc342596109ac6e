import { probeTimeoutMs } from '../limits.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';
import type { Runtime } from '../runtime.ts';
import { Timer } from '../timer.ts';

export interface HeartbeatOptions {
  /** 25 000 by default: some balancers end a connection on which nothing came for 30 s. */
  readonly intervalMs?: number | undefined;
  /** Without any message for this long after a ping, the connection is dead. */
  readonly timeoutMs?: number | undefined;
}

export interface HeartbeatPort {
  readonly commands: Pick<PendingCommands, 'send'>;
  /** A pong has just come; `timeMs`: the gateway's clock when it replied. */
  beat(roundTripMs: number, timeMs: number): void;
  dead(): void;
}

/**
 * Pings while the connection is up, at once and then at an interval. Reports each round trip, and a connection that is
 * dead: one on which nothing at all has come since a ping, because a pong may be late after a long backlog.
 */
export class Heartbeat {
  /** It is started, and no probe is under way. */
  #isCalm = false;
  #roundTripMs = 0;
  #heardAtMs = 0;
  #run = 0;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #timer: Timer;
  readonly #runtime: Runtime;
  readonly #port: HeartbeatPort;

  constructor(options: HeartbeatOptions | undefined, runtime: Runtime, port: HeartbeatPort) {
    this.#intervalMs = options?.intervalMs ?? 25_000;
    this.#timeoutMs = options?.timeoutMs ?? 10_000;
    this.#timer = new Timer(runtime);
    this.#runtime = runtime;
    this.#port = port;
  }

  start(): void {
    this.stop();
    this.#isCalm = true;
    this.#send(this.#timeoutMs);
  }

  /** Pings at once with a short timeout: the network may have changed. */
  probe(): void {
    if (!this.#isCalm) return;
    this.stop();
    this.#send(Math.min(this.#timeoutMs, probeTimeoutMs));
  }

  stop(): void {
    this.#run++;
    this.#isCalm = false;
    this.#timer.stop();
  }

  /** A message has come. */
  heard(): void {
    this.#heardAtMs = this.#runtime.monotonicMs();
  }

  #send(timeoutMs: number): void {
    const run = this.#run;
    const sentAtMs = this.#runtime.monotonicMs();
    const settle = (...[reply, error]: Outcome<'ping'>): void => {
      if (run !== this.#run) return;
      this.#isCalm = true;
      if (reply) {
        this.#roundTripMs = this.#runtime.monotonicMs() - sentAtMs;
        this.#port.beat(this.#roundTripMs, reply.timeMs);
      } else if (error.code === 'timeout' && this.#heardAtMs <= sentAtMs) {
        this.#port.dead();
        return;
      }
      // Any other error, `rate_limited` for one, is a sign of life too.
      this.#timer.set(this.#intervalMs, () => this.#send(this.#timeoutMs));
    };
    this.#port.commands.send('ping', { roundTripMs: this.#roundTripMs }, settle, timeoutMs);
  }
}
