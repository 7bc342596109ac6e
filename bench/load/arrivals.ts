import { Latencies, type Percentiles } from '../support/latency.ts';
import { OwnThread } from '../support/proc.ts';

/** Latencies as this process sees them, and without the time for which it was ready to run and had no core. */
export class Arrivals {
  readonly #all = new Latencies();
  readonly #awake = new Latencies();
  readonly #thread = new OwnThread();
  #waitedMs = 0;
  /** What arrives in one turn of the loop has waited together; undefined: nothing has come in this turn. */
  #turnWaitUs: number | undefined;

  add(microseconds: number): void {
    this.#all.add(microseconds);
    this.#turnWaitUs ??= this.#wait();
    this.#awake.add(microseconds - this.#turnWaitUs);
  }

  reset(): void {
    this.#all.reset();
    this.#awake.reset();
    this.#waitedMs = this.#thread.waitedMs();
  }

  read(): { readonly latency: Percentiles; readonly awakeLatency: Percentiles } {
    return { latency: this.#all.read(), awakeLatency: this.#awake.read() };
  }

  /** Since the last turn in which something came. */
  #wait(): number {
    const beforeMs = this.#waitedMs;
    this.#waitedMs = this.#thread.waitedMs();
    setImmediate(() => {
      this.#turnWaitUs = undefined;
    });
    return (this.#waitedMs - beforeMs) * 1000;
  }
}
