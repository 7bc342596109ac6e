/**
 * Calls `emit` `rate` times a second on schedule (open loop): late calls are made up for at once. Returns the number of
 * calls and the worst delay.
 */
export function pace(
  rate: number,
  seconds: number,
  emit: (index: number) => void,
): Promise<{ readonly sent: number; readonly latestMs: number }> {
  const total = Math.round(rate * seconds);
  const startMs = performance.now();
  let sent = 0;
  let latestMs = 0;
  return new Promise((resolve) => {
    const tick = (): void => {
      const elapsedMs = performance.now() - startMs;
      const due = Math.min(total, Math.floor((elapsedMs * rate) / 1000) + 1);
      if (due > sent) latestMs = Math.max(latestMs, elapsedMs - (sent * 1000) / rate);
      while (sent < due) emit(sent++);
      if (sent === total) resolve({ sent, latestMs });
      else setTimeout(tick, Math.max(1, Math.floor((sent * 1000) / rate - (performance.now() - startMs))));
    };
    tick();
  });
}

const longestDebtMs = 20;

/** Calls `emit` at a rate that can be changed, and skips calls that are late. */
export class SteeredPacer {
  sent = 0;
  rate: number;
  #owed = 0;
  #atMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #next: NodeJS.Immediate | undefined;
  readonly #emit: (index: number) => void;

  constructor(rate: number, emit: (index: number) => void) {
    this.rate = rate;
    this.#emit = emit;
    this.#tick();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#next);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#owed += (Math.min(nowMs - this.#atMs, longestDebtMs) * this.rate) / 1000;
    this.#atMs = nowMs;
    for (; this.#owed >= 1; this.#owed--) this.#emit(this.sent++);
    // Timers that are due at once would run in one turn, without the server's own work between them.
    this.#next = setImmediate(() => {
      this.#timer = setTimeout(() => this.#tick(), 1);
    });
  }
}
