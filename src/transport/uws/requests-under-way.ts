import { setImmediate as nextTurn } from 'node:timers/promises';

/** Counts the HTTP requests that have no response yet, so that the gateway can end without leaving one unanswered. */
export class RequestsUnderWay {
  #count = 0;
  #isClosed = false;
  #finished: (() => void) | undefined;

  /** False: the gateway ends, and responses no more requests. Else call `ended` once. */
  begin(): boolean {
    if (this.#isClosed) return false;
    this.#count++;
    return true;
  }

  readonly ended = (): void => {
    this.#count--;
    if (this.#count === 0) this.#finished?.();
  };

  /** Refuses new requests. Resolves when those under way are answered, at the latest after `graceMs`. */
  async finish(graceMs: number): Promise<void> {
    this.#isClosed = true;
    if (this.#count > 0) await this.#allEnded(graceMs);
    // The library sends a response at the end of the turn in which it was written.
    await nextTurn();
  }

  async #allEnded(graceMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#finished = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
