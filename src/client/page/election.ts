/** The part of the Web Locks API that an election uses. */
export interface Locks {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    granted: () => Promise<void> | undefined,
  ): Promise<unknown>;
}

export interface ElectionPort {
  elected(): void;
  /** Another tab has taken the lead, because this one did not respond. */
  deposed(): void;
}

/** Elects one of the tabs that stand: the one that holds a lock. When it goes, the browser grants it to the next. */
export class Election {
  #leads = false;
  #abort = new AbortController();
  #release: (() => void) | undefined;
  readonly #locks: Locks;
  readonly #name: string;
  readonly #port: ElectionPort;

  constructor(locks: Locks, name: string, port: ElectionPort) {
    this.#locks = locks;
    this.#name = name;
    this.#port = port;
  }

  /** Waits for the lead. */
  stand(): void {
    this.#abort = new AbortController();
    this.#request({ signal: this.#abort.signal });
  }

  /** Takes the lead from a tab that does not respond. */
  steal(): void {
    this.#abort.abort();
    this.#request({ steal: true });
  }

  /** Gives up the lead, or stops waiting for it. */
  withdraw(): void {
    this.#leads = false;
    this.#abort.abort();
    this.#release?.();
    this.#release = undefined;
  }

  #request(options: Parameters<Locks['request']>[1]): void {
    const hold = (): Promise<void> | undefined => {
      if (options.signal?.aborted) return undefined;
      this.#leads = true;
      const released = new Promise<void>((resolve) => {
        this.#release = resolve;
      });
      this.#port.elected();
      return released;
    };
    // Rejects when the wait was aborted, and when the lock was stolen.
    this.#locks.request(this.#name, options, hold).catch(() => {
      if (!this.#leads || options.signal?.aborted) return;
      this.#leads = false;
      this.#release = undefined;
      this.#port.deposed();
    });
  }
}
