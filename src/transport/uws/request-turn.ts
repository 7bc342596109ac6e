import type { Turns } from '../../fanout/schedule.ts';

/** A turn with fewer requests and pieces of bodies than this is never long: whatever it waited for, it was not them. */
const fewPieces = 200;
const longMs = 20;
/** What waits is done in slices, so that a turn has time for others. */
const sliceMs = 10;

/**
 * How long this turn of the event loop has been busy with requests. The library reads up to 512 KiB from each
 * connection in a turn, and calls for each of the thousands of requests and chunks that this may hold, before it reads
 * from any other. In a long turn responses wait: a connection whose next request has come meanwhile is ended by the
 * library, and one that waits for its response gets it a turn later.
 */
export class RequestTurn {
  readonly #turns: Pick<Turns, 'nowMs' | 'beforeTurnEnd'>;
  #pieces = 0;
  #startMs = 0;
  #isAsked = false;
  #waiting: (() => void)[] = [];

  constructor(turns: Pick<Turns, 'nowMs' | 'beforeTurnEnd'>) {
    this.#turns = turns;
  }

  /** A request, or a piece of one, was received in this turn. */
  count(): void {
    if (this.#pieces++ > 0) return;
    this.#startMs = this.#turns.nowMs();
    this.#ask();
  }

  get isLong(): boolean {
    return this.#pieces >= fewPieces && this.#turns.nowMs() - this.#startMs > longMs;
  }

  /** Runs it when this turn is over. */
  later(run: () => void): void {
    this.#waiting.push(run);
    this.#ask();
  }

  #ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#turns.beforeTurnEnd(() => this.#end());
  }

  #end(): void {
    this.#isAsked = false;
    this.#pieces = 0;
    if (this.#waiting.length === 0) return;
    const startMs = this.#turns.nowMs();
    let done = 0;
    while (done < this.#waiting.length && (done === 0 || this.#turns.nowMs() - startMs < sliceMs))
      (this.#waiting[done++] as () => void)();
    this.#waiting = this.#waiting.slice(done);
    if (this.#waiting.length > 0) this.#ask();
  }
}
