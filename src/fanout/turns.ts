/** The event loop as the fan-out needs it; tests bring their own. */
export interface Turns {
  /** Milliseconds on a monotonic clock. */
  nowMs(): number;
  /** Runs at the end of the current turn of the event loop; what is published then is written right after it. */
  atTurnEnd(run: () => void): void;
  /**
   * The same, before all that `atTurnEnd` was asked for: a member joins or leaves a view when nothing of the view is
   * published and not yet written.
   */
  beforeTurnEnd(run: () => void): void;
  after(delayMs: number, run: () => void): void;
}

class EventLoop implements Turns {
  #before: (() => void)[] = [];
  #end: (() => void)[] = [];
  #asked = false;

  readonly nowMs = (): number => performance.now();

  atTurnEnd(run: () => void): void {
    this.#end.push(run);
    this.#ask();
  }

  beforeTurnEnd(run: () => void): void {
    this.#before.push(run);
    this.#ask();
  }

  after(delayMs: number, run: () => void): void {
    setTimeout(run, delayMs).unref();
  }

  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    setImmediate(() => {
      this.#asked = false;
      const runs = [...this.#before, ...this.#end];
      this.#before = [];
      this.#end = [];
      for (const run of runs) run();
    });
  }
}

export const eventLoop: Turns = new EventLoop();
