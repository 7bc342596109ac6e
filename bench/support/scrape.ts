/** One response of `GET /metrics`, in the text format of Prometheus. */
export class Scrape {
  readonly #samples: readonly Sample[];

  constructor(text: string) {
    this.#samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(sampleOf);
  }

  /** The sum over the labels; `label`: of those that have it, as it is written: `code="internal"`. */
  value(name: string, label = ''): number {
    return this.#named(name)
      .filter(({ labels }) => labels.includes(label))
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** Of a metric without labels of its own. */
  histogram(name: string): Histogram {
    const buckets = this.#named(`${name}_bucket`).map(({ labels, value }) => {
      const bound = /le="([^"]+)"/.exec(labels)?.[1] ?? '';
      return { upTo: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), count: value };
    });
    return new Histogram(buckets, this.value(`${name}_sum`));
  }

  #named(name: string): readonly Sample[] {
    return this.#samples.filter((sample) => sample.name === name);
  }
}

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

function sampleOf(line: string): Sample {
  const [, name = '', labels = '', value = ''] = /^([^{\s]+)(\{[^}]*\})?\s+(\S+)/.exec(line) ?? [];
  return { name, labels, value: Number(value) };
}

interface Bucket {
  readonly upTo: number;
  /** Of what is at most that, as Prometheus counts. */
  readonly count: number;
}

export class Histogram {
  readonly #buckets: readonly Bucket[];
  readonly #sum: number;

  constructor(buckets: readonly Bucket[], sum: number) {
    this.#buckets = buckets;
    this.#sum = sum;
  }

  get count(): number {
    return this.#buckets.at(-1)?.count ?? 0;
  }

  get mean(): number {
    return this.#sum / this.count;
  }

  /** The difference between two scrapes. */
  since(before: Histogram): Histogram {
    const buckets = this.#buckets.map(({ upTo, count }, i) => ({
      upTo,
      count: count - (before.#buckets[i]?.count ?? 0),
    }));
    return new Histogram(buckets, this.#sum - before.#sum);
  }

  /** The upper bound of the bucket that this share of all values ends in. */
  quantile(share: number): number {
    const wanted = share * this.count;
    return this.#buckets.find(({ count }) => count >= wanted)?.upTo ?? Number.NaN;
  }

  /** How many buckets lie between that of one value and that of another. */
  distance(one: number, another: number): number {
    return Math.abs(this.#bucketOf(one) - this.#bucketOf(another));
  }

  #bucketOf(value: number): number {
    return this.#buckets.findIndex(({ upTo }) => value <= upTo);
  }
}
