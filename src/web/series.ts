/** Between samples that are further apart than this, no line is drawn. */
const longestLineSeconds = 15;

/** The lines of one chart: times in seconds since 1970, and a value (or nothing) per line. */
export type SeriesData = [times: number[], ...lines: (number | null)[][]];

/** Indexes of the samples of a line that no line is drawn to, because they have no neighbour. */
export function aloneIn(line: ArrayLike<number | null | undefined>): number[] {
  const has = (index: number) => line[index] !== undefined && line[index] !== null;
  return Array.from(line, (_, index) => index).filter(
    (index) => has(index) && !has(index - 1) && !has(index + 1),
  );
}

/** The samples of a window of time, in order. */
export class Series {
  readonly #times: number[] = [];
  readonly #lines: (number | null)[][];
  readonly #keepSeconds: number;

  constructor(lines: number, keepSeconds: number) {
    this.#lines = Array.from({ length: lines }, () => []);
    this.#keepSeconds = keepSeconds;
  }

  /** Inserts a sample by its time; one of the same time is known already. */
  add(seconds: number, values: readonly (number | undefined)[]): void {
    let index = this.#times.length;
    while (index > 0 && (this.#times[index - 1] as number) > seconds) index--;
    if (this.#times[index - 1] === seconds) return;
    this.#times.splice(index, 0, seconds);
    this.#lines.forEach((line, which) => {
      line.splice(index, 0, values[which] ?? null);
    });
    this.#forget((this.#times.at(-1) as number) - this.#keepSeconds);
  }

  /** The data of the chart, with a null in each long time without a sample. */
  data(): SeriesData {
    const times: number[] = [];
    const lines: (number | null)[][] = this.#lines.map(() => []);
    this.#times.forEach((seconds, index) => {
      const previous = this.#times[index - 1];
      if (previous !== undefined && seconds - previous > longestLineSeconds) {
        times.push(previous + longestLineSeconds / 2);
        for (const line of lines) line.push(null);
      }
      times.push(seconds);
      lines.forEach((line, which) => {
        line.push(this.#lines[which]?.[index] ?? null);
      });
    });
    return [times, ...lines];
  }

  #forget(beforeSeconds: number): void {
    const keepFrom = this.#times.findIndex((seconds) => seconds >= beforeSeconds);
    if (keepFrom <= 0) return;
    this.#times.splice(0, keepFrom);
    for (const line of this.#lines) line.splice(0, keepFrom);
  }
}
