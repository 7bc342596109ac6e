import type { PublishError } from './publish-error.ts';
import type { QueuedPublication, SendingOrders } from './queue.ts';

/** An order that waits. */
interface WaitingOrder {
  readonly untilMs: number;
  /** Refusals in a row. */
  readonly failures: number;
  readonly error: PublishError;
}

const firstWaitMs = 100;
const waitMaxMs = 5000;

/**
 * Which orders of a queue may be sent now. An order is what must not be overtaken, such as the publications of one
 * topic: while some of it is in flight or to be sent again, the rest waits.
 */
export class Orders {
  readonly #nowMs: () => number;
  readonly #waiting = new Map<string, WaitingOrder>();
  /** Orders of requests in flight. */
  readonly #sent = new Set<string>();
  /** Orders of requests that timed out. One of them may be the cause, so each is sent alone, and holds up no other. */
  readonly #alone = new Set<string>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Those that may be sent at this time. */
  at(nowMs: number): SendingOrders {
    return {
      mayBeSent: (order) => !this.#sent.has(order) && (this.#waiting.get(order)?.untilMs ?? 0) <= nowMs,
      mayShare: (order, other) => order === other || !(this.#alone.has(order) || this.#alone.has(other)),
    };
  }

  /** No order is held or has to be sent alone. */
  get areFree(): boolean {
    return this.#waiting.size + this.#alone.size === 0;
  }

  /** Until when the order is held, and why; undefined: it is not. */
  holdOf(order: string): Pick<WaitingOrder, 'untilMs' | 'error'> | undefined {
    return this.#waiting.get(order);
  }

  /** When the first held order may be sent; Infinity: none is held. */
  get nextMs(): number {
    return Math.min(...[...this.#waiting.values()].map(({ untilMs }) => untilMs));
  }

  sent(entries: readonly QueuedPublication[]): void {
    for (const { order } of entries) this.#sent.add(order);
  }

  ended(entries: readonly QueuedPublication[]): void {
    for (const { order } of entries) this.#sent.delete(order);
  }

  /** They were published, or refused for good. */
  settled(entries: readonly QueuedPublication[]): void {
    for (const { order } of entries) this.#alone.delete(order);
  }

  release(order: string): void {
    this.#waiting.delete(order);
  }

  /** Holds all of them for the same time, unless the gateway says otherwise, so that they share a request again. */
  hold(orders: ReadonlyMap<string, PublishError>): void {
    const failures =
      Math.max(0, ...[...orders.keys()].map((order) => this.#waiting.get(order)?.failures ?? 0)) + 1;
    const waitMs = backoffMs(failures);
    const nowMs = this.#nowMs();
    for (const [order, error] of orders)
      this.#waiting.set(order, { untilMs: nowMs + (error.retryAfterMs ?? waitMs), failures, error });
  }

  /** A request with all of them timed out. */
  isolate(entries: readonly QueuedPublication[]): void {
    for (const { order } of entries) this.#alone.add(order);
  }

  /** Forgets orders without a waiting entry. */
  keep(waiting: ReadonlySet<string>): void {
    for (const orders of [this.#waiting, this.#alone])
      for (const order of orders.keys()) if (!waiting.has(order)) orders.delete(order);
  }
}

export function backoffMs(failures: number): number {
  const mostMs = Math.min(waitMaxMs, firstWaitMs * 2 ** Math.min(failures - 1, 16));
  return mostMs * (0.5 + Math.random() / 2);
}
