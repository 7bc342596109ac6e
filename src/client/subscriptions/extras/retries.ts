import type { Runtime } from '../../runtime.ts';
import type { Timer } from '../../timer.ts';
import type { Registry, Shared } from '../member.ts';

/**
 * Retries that are due within this time of each other run together: subscriptions that were refused at once are asked
 * for in a few commands.
 */
const togetherMs = 250;

/** Asks for a subscription again after the delay, if it is still off then. */
export function planRetry(registry: Registry, wire: Shared, delayMs: number): void {
  registry.retries ??= new Retries(registry.newTimer(), registry.runtime, (due) => registry.askFor(due));
  if (registry.isOnline && wire.state === 'off') registry.retries.add(wire, delayMs);
}

/** Plans retries: none before its time, and those of about the same time at once. */
export class Retries<T> {
  readonly #dueMs = new Map<T, number>();
  readonly #timer: Timer;
  readonly #runtime: Pick<Runtime, 'monotonicMs'>;
  readonly #run: (due: readonly T[]) => void;

  constructor(timer: Timer, runtime: Pick<Runtime, 'monotonicMs'>, run: (due: readonly T[]) => void) {
    this.#timer = timer;
    this.#runtime = runtime;
    this.#run = run;
  }

  /** Replaces an earlier plan for the same one. */
  add(one: T, delayMs: number): void {
    this.#dueMs.delete(one);
    const wantedMs = this.#runtime.monotonicMs() + delayMs;
    const later = [...this.#dueMs.values()].filter((due) => due >= wantedMs && due <= wantedMs + togetherMs);
    this.#dueMs.set(one, later.length > 0 ? Math.min(...later) : wantedMs);
    this.#plan();
  }

  has(one: T): boolean {
    return this.#dueMs.has(one);
  }

  delete(one: T): void {
    if (this.#dueMs.delete(one)) this.#plan();
  }

  clear(): void {
    this.#dueMs.clear();
    this.#plan();
  }

  #plan(): void {
    this.#timer.stop();
    if (this.#dueMs.size === 0) return;
    const delayMs = Math.max(0, Math.min(...this.#dueMs.values()) - this.#runtime.monotonicMs());
    this.#timer.set(delayMs, () => this.#fire());
  }

  #fire(): void {
    const nowMs = this.#runtime.monotonicMs();
    const due = [...this.#dueMs].filter(([, dueMs]) => dueMs <= nowMs).map(([one]) => one);
    for (const one of due) this.#dueMs.delete(one);
    if (due.length > 0) this.#run(due);
    this.#plan();
  }
}
