import type { PublishError } from './publish-error.ts';
import type { Entry } from './queue.ts';

/** An order that waits. */
interface Held {
  readonly untilMs: number;
  /** Refusals in a row. */
  readonly failures: number;
  readonly error: PublishError;
}

const firstWaitMs = 100;
const maxWaitMs = 5000;

/** Which orders of a queue may be sent: what is sent again, or has no response yet, is not overtaken. */
export class Orders {
  readonly #nowMs: () => number;
  readonly #held = new Map<string, Held>();
  /** Those of requests that are out. */
  readonly #sent = new Set<string>();
  /** Those of requests that had no response in time: one of them may be why, and must not hold up others again. */
  readonly #alone = new Set<string>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  mayBeSent(order: string): boolean {
    return !this.#sent.has(order) && (this.#held.get(order)?.untilMs ?? 0) <= this.#nowMs();
  }

  /** Whether these two may be in one request. */
  mayShare(order: string, other: string): boolean {
    return order === other || !(this.#alone.has(order) || this.#alone.has(other));
  }

  /** None is held, or has to go alone. */
  get areFree(): boolean {
    return this.#held.size + this.#alone.size === 0;
  }

  /** How the order is held, if it is. */
  holdOf(order: string): Pick<Held, 'untilMs' | 'error'> | undefined {
    return this.#held.get(order);
  }

  /** When the first that is held may be sent; infinite: none is. */
  get nextMs(): number {
    return Math.min(...[...this.#held.values()].map(({ untilMs }) => untilMs));
  }

  sent(entries: readonly Entry[]): void {
    for (const { order } of entries) this.#sent.add(order);
  }

  ended(entries: readonly Entry[]): void {
    for (const { order } of entries) this.#sent.delete(order);
  }

  /** They were published, or refused for good. */
  settled(entries: readonly Entry[]): void {
    for (const { order } of entries) this.#alone.delete(order);
  }

  release(order: string): void {
    this.#held.delete(order);
  }

  /** All for the same time, unless the gateway says otherwise, so that they go together again. */
  hold(orders: ReadonlyMap<string, PublishError>): void {
    const failures =
      Math.max(0, ...[...orders.keys()].map((order) => this.#held.get(order)?.failures ?? 0)) + 1;
    const waitMs = backoffMs(failures);
    const nowMs = this.#nowMs();
    for (const [order, error] of orders)
      this.#held.set(order, { untilMs: nowMs + (error.retryAfterMs ?? waitMs), failures, error });
  }

  /** A request with all of them had no response in time. */
  isolate(entries: readonly Entry[]): void {
    for (const { order } of entries) this.#alone.add(order);
  }

  /** Forgets those of which nothing waits any more. */
  keep(waiting: ReadonlySet<string>): void {
    for (const known of [this.#held, this.#alone])
      for (const order of known.keys()) if (!waiting.has(order)) known.delete(order);
  }
}

export function backoffMs(failures: number): number {
  const mostMs = Math.min(maxWaitMs, firstWaitMs * 2 ** Math.min(failures - 1, 16));
  return mostMs * (0.5 + Math.random() / 2);
}
