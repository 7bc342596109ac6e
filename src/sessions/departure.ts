/** A client that may go while something is done for it. */
export interface Departing {
  /** Whether its connection has ended, or its request is answered. */
  readonly isOver: boolean;
  /** Calls `run` when the client goes, at once if it is gone. Returns a function that cancels this. */
  onGone(run: () => void): () => void;
}

/** Callbacks for when a client goes. Takes no memory for clients that nothing waits for. */
export class Departure {
  #waiting: Set<() => void> | undefined;
  #isOver = false;

  onGone(run: () => void): () => void {
    if (this.#isOver) {
      run();
      return () => undefined;
    }
    this.#waiting ??= new Set();
    this.#waiting.add(run);
    return () => this.#waiting?.delete(run);
  }

  over(): void {
    this.#isOver = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const run of waiting ?? []) run();
  }
}
