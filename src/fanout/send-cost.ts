import type { View } from './view.ts';

// Measured with 64 views of a topic and a sink that sends nothing, on a core of a Xeon with Node.js 20.
/** In batches of 1000 publications that all views match. */
const publicationMs = 0.0013;
/** With filters of 60 conditions that compare numbers: 35 ns, and twice as much in a gateway that has just started. */
const conditionMs = 0.000_07;
/** With payloads of 4 kB. */
const byteMs = 0.000_000_75;
/** Each publication in frames of its own. */
const frameMs = 0.005;

/** Estimates how long it takes to send publications of a topic to its views, however many members these have. */
export class SendCost {
  #views = 0;
  #conditions = 0;
  /** The frames in which the next publications go out have been counted. */
  #hasFrames = false;

  add({ options }: View): void {
    this.#views++;
    this.#conditions += options.filter?.conditions ?? 0;
  }

  remove({ options }: View): void {
    this.#views--;
    this.#conditions -= options.filter?.conditions ?? 0;
  }

  /** What was published is sent: the next publications go out in further frames. */
  sent(): void {
    this.#hasFrames = false;
  }

  /** The milliseconds for one more publication of this size, and for its frames unless it goes out with another. */
  takeMs(bytes: number): number {
    const ms = this.#hasFrames ? 0 : frameMs;
    this.#hasFrames = true;
    return this.#views * (ms + publicationMs + bytes * byteMs) + this.#conditions * conditionMs;
  }
}
