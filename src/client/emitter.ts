type Listener<Args extends unknown[]> = (...args: Args) => void;

/**
 * Typed events. Listeners are called in the order in which they were added. One that is added or removed by a listener
 * counts from the next event on. If a listener throws, or its promise rejects, the error goes to `onFault`, and neither
 * the caller nor the other listeners are affected.
 */
export class Emitter<Events extends { [K in keyof Events]: unknown[] }> {
  readonly #listeners = new Map<keyof Events, readonly unknown[]>();
  readonly #onFault: (fault: unknown, event: keyof Events) => void;

  constructor(onFault: (fault: unknown, event: keyof Events) => void) {
    this.#onFault = onFault;
  }

  /** Returns a function that removes the listener. */
  on<K extends keyof Events>(event: K, listener: Listener<Events[K]>): () => void {
    this.#listeners.set(event, [...this.#of(event), listener]);
    return () => this.off(event, listener);
  }

  off<K extends keyof Events>(event: K, listener: Listener<Events[K]>): void {
    this.#listeners.set(
      event,
      this.#of(event).filter((candidate) => candidate !== listener),
    );
  }

  hears(event: keyof Events): boolean {
    return this.#of(event).length > 0;
  }

  /** Returns whether there was a listener. */
  emit<K extends keyof Events>(event: K, ...args: Events[K]): boolean {
    const listeners = this.#of(event) as readonly Listener<Events[K]>[];
    for (const listener of listeners) {
      try {
        const result = listener(...args) as Partial<PromiseLike<unknown>> | undefined;
        result?.then?.(undefined, (fault: unknown) => this.#onFault(fault, event));
      } catch (fault) {
        this.#onFault(fault, event);
      }
    }
    return listeners.length > 0;
  }

  clear(): void {
    this.#listeners.clear();
  }

  #of(event: keyof Events): readonly unknown[] {
    return this.#listeners.get(event) ?? [];
  }
}
