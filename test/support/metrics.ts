import type { Metrics } from '../../src/metrics.ts';

interface Recorded {
  readonly name: string;
  /** The values of its labels. */
  readonly labels: readonly string[];
  readonly value: number;
}

/** Metrics whose values a test can read at once: `of('publishErrorsTotal', 'rate_limited')`. They are never scraped. */
export class RecordedMetrics {
  #recorded: Recorded[] = [];
  readonly metrics = new Proxy({} as Metrics, {
    get: (_, name: string) => (name === 'onScrape' ? () => () => undefined : this.#instrument(name, [])),
  });

  /** The sum of what was counted, set or observed; without labels: of all labels. */
  of(name: keyof Metrics, ...labels: readonly string[]): number {
    return this.values(name, ...labels).reduce((sum, value) => sum + value, 0);
  }

  /** Each value that was counted, set or observed, in order. */
  values(name: keyof Metrics, ...labels: readonly string[]): readonly number[] {
    return this.#of(name)
      .filter((each) => labels.every((label, i) => each.labels[i] === label))
      .map(({ value }) => value);
  }

  /** The first label of each of them. */
  labels(name: keyof Metrics): readonly string[] {
    return this.#of(name).map(({ labels: [first = ''] }) => first);
  }

  forget(): void {
    this.#recorded = [];
  }

  #of(name: string): readonly Recorded[] {
    return this.#recorded.filter((each) => each.name === name);
  }

  #instrument(name: string, labels: readonly string[]) {
    const record = (first: number | object = 1, second = 1): void => {
      const isLabelled = typeof first === 'object';
      const all = isLabelled ? [...labels, ...Object.values(first)] : labels;
      this.#recorded.push({ name, labels: all, value: isLabelled ? second : first });
    };
    return {
      inc: record,
      set: record,
      observe: record,
      retract: (value: number) => record(-value),
      labels: (more: object) => this.#instrument(name, [...labels, ...Object.values(more)]),
    };
  }
}
