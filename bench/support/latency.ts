import { build, type Histogram } from 'hdr-histogram-js';

export interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly count: number;
}

const longestUs = 600_000_000;

/** Latencies with three digits. */
export class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: longestUs,
    numberOfSignificantValueDigits: 3,
  });

  add(microseconds: number): void {
    this.#histogram.recordValue(Math.min(longestUs, Math.max(1, microseconds)));
  }

  reset(): void {
    this.#histogram.reset();
  }

  read(): Percentiles {
    const at = (percentile: number) => this.#histogram.getValueAtPercentile(percentile) / 1000;
    return {
      p50Ms: at(50),
      p99Ms: at(99),
      maxMs: this.#histogram.maxValue / 1000,
      count: this.#histogram.totalCount,
    };
  }
}
