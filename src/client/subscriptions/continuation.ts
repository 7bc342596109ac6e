/**
 * A pattern that continues by its cursor: none → complete → none, or none → complete → lossy → none. Losses are named
 * one by one until the catch-up ends; only then is it known whether there was none.
 */
export class Continuation {
  #state: 'none' | 'complete' | 'lossy' = 'none';

  begin(isComplete: boolean): void {
    this.#state = isComplete ? 'complete' : 'lossy';
  }

  noteLoss(): void {
    if (this.#state === 'complete') this.#state = 'lossy';
  }

  /** Returns whether a continuation has ended without a loss. */
  end(): boolean {
    const wasComplete = this.#state === 'complete';
    this.#state = 'none';
    return wasComplete;
  }
}
