import type { PendingCommands } from '../pending-commands.ts';
import type { Runtime, TimerHandle } from '../runtime.ts';

/** Between two commands, as the gateway wants it. */
const intervalMs = 1_000;

/** Tells the gateway what the application has had of inboxes: at once, and then at most once a second. */
export class Acknowledging {
  readonly #commands: PendingCommands;
  readonly #runtime: Runtime;
  /** By view, up to which offset. Not told yet. */
  readonly #had = new Map<number, number>();
  #timer: TimerHandle | undefined;

  constructor(commands: PendingCommands, runtime: Runtime) {
    this.#commands = commands;
    this.#runtime = runtime;
  }

  note(view: number, offset: number): void {
    this.#had.set(view, offset);
    if (this.#timer === undefined) this.#plan(0);
  }

  flush(): void {
    const acks = [...this.#had].map(([view, offset]) => ({ view, offset }));
    this.#had.clear();
    if (acks.length === 0) return;
    this.#commands.send('ping', { acks }, (outcome) => {
      if (outcome.ok || outcome.error.code !== 'rate_limited') return;
      for (const { view, offset } of acks) if (!this.#had.has(view)) this.note(view, offset);
    });
  }

  /** The views have ended with the connection. */
  clear(): void {
    this.#had.clear();
    if (this.#timer !== undefined) this.#runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #plan(delayMs: number): void {
    this.#timer = this.#runtime.setTimeout(() => {
      this.#timer = undefined;
      if (this.#had.size === 0) return;
      this.flush();
      this.#plan(intervalMs);
    }, delayMs);
  }
}
