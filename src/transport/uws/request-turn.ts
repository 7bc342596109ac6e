import type { Turns } from '../../fanout/turns.ts';

/** A turn with fewer requests and pieces of bodies than this is never long: whatever it waited for, it was not them. */
const fewPieces = 200;
/**
 * A client floods a turn by more messages in a row than this, once those after them have taken longer than `floodMs`.
 */
const fewOfSender = 50;
const floodMs = 1;
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
  /** The sender of the last of these, and how many it has sent in a row. */
  #sender: object | undefined;
  #ofSender = 0;
  /** When the last of the few of this sender came. */
  #fewAtMs = 0;
  #startMs = 0;
  #stalledSinceMs = Number.POSITIVE_INFINITY;
  #isAsked = false;
  #waiting: (() => void)[] = [];

  constructor(turns: Pick<Turns, 'nowMs' | 'beforeTurnEnd'>) {
    this.#turns = turns;
  }

  /**
   * A request, or a piece of one, was received in this turn. `sender`: the session of a WebSocket, whose messages come
   * in a row.
   */
  count(sender?: object): void {
    if (sender === undefined || sender !== this.#sender) this.#ofSender = 0;
    this.#sender = sender;
    if (++this.#ofSender === fewOfSender) this.#fewAtMs = this.#turns.nowMs();
    if (this.#pieces++ > 0) return;
    this.#startMs = this.#turns.nowMs();
    this.#ask();
  }

  get isLong(): boolean {
    return this.#pieces >= fewPieces && this.#turns.nowMs() - this.#startMs > longMs;
  }

  /**
   * It is long, and what is received now comes from a client that has sent much of it and has held it up itself: others
   * may have made it long.
   */
  get isFlooded(): boolean {
    if (this.#ofSender < fewOfSender || !this.isLong) return false;
    return this.#turns.nowMs() - this.#fewAtMs > floodMs;
  }

  /** The event loop was held up from `sinceMs` on, until now: what is read in this turn may have come meanwhile. */
  stalled(sinceMs: number): void {
    this.#stalledSinceMs = Math.min(this.#stalledSinceMs, sinceMs);
    this.#ask();
  }

  /** What is read now arrived then or later: when the loop last looked. */
  get sinceMs(): number {
    return Math.min(this.#stalledSinceMs, this.#pieces > 0 ? this.#startMs : this.#turns.nowMs());
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
    this.#ofSender = 0;
    this.#sender = undefined;
    this.#stalledSinceMs = Number.POSITIVE_INFINITY;
    if (this.#waiting.length === 0) return;
    const startMs = this.#turns.nowMs();
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || this.#turns.nowMs() - startMs < sliceMs))
      (this.#waiting[count++] as () => void)();
    this.#waiting = this.#waiting.slice(count);
    if (this.#waiting.length > 0) this.#ask();
  }
}
