/**
 * Whether a process that is asked again and again still answers. Its silence is counted in questions, not in time: when
 * the asking process is stopped for a while, those that it asks are not to blame.
 */
export class Heartbeat {
  readonly #ask: () => Promise<unknown>;
  readonly #unansweredMax: number;
  #unanswered = 0;

  /** `ask`: may reject, which is no answer. */
  constructor(ask: () => Promise<unknown>, unansweredMax: number) {
    this.#ask = ask;
    this.#unansweredMax = unansweredMax;
  }

  /** Call it at regular times. False: there was no answer since more than `unansweredMax` calls ago. */
  beat(): boolean {
    // One question at a time: the process reads all of them once it goes on.
    if (this.#unanswered++ === 0)
      this.#ask().then(
        () => {
          this.#unanswered = 0;
        },
        () => undefined,
      );
    return this.#unanswered <= this.#unansweredMax;
  }
}
