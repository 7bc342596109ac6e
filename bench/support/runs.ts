import { median } from './report.ts';
import { type Claim, claim } from './scenario.ts';

interface Named {
  readonly name: string;
}

/** What was seen of each subject in several runs. */
export class Runs<S extends Named, Seen> {
  readonly #seen: ReadonlyMap<S, readonly Seen[]>;

  constructor(seen: ReadonlyMap<S, readonly Seen[]>) {
    this.#seen = seen;
  }

  get subjects(): readonly S[] {
    return [...this.#seen.keys()];
  }

  /** Those of one subject, or of all. */
  all(subject?: S): readonly Seen[] {
    return subject === undefined ? [...this.#seen.values()].flat() : (this.#seen.get(subject) ?? []);
  }

  /** The median of all runs of the subject. */
  of(subject: S, pick: (seen: Seen) => number): number {
    return median(this.all(subject).map(pick));
  }

  /** The median of one subject, relative to that of another. */
  ratio(subject: S, base: S, pick: (seen: Seen) => number): number {
    return this.of(subject, pick) / this.of(base, pick);
  }

  /** For what every run counts of, as losses: the sum of all runs of one subject, or of all. */
  sum(pick: (seen: Seen) => number, subject?: S): number {
    return this.all(subject).reduce((sum, seen) => sum + pick(seen), 0);
  }

  /** For `Outcome.facts`. */
  get facts(): Readonly<Record<string, readonly Seen[]>> {
    return Object.fromEntries([...this.#seen].map(([{ name }, seen]) => [name, seen]));
  }
}

/** Measures the subjects in turn, so that a temporary disturbance of the machine affects all of them. */
export async function inTurn<S extends Named, Seen>(
  subjects: readonly S[],
  runs: number,
  say: (line: string) => void,
  measure: (subject: S) => Promise<Seen>,
): Promise<Runs<S, Seen>> {
  const seen = new Map<S, Seen[]>(subjects.map((subject) => [subject, []]));
  for (let i = 0; i < runs; i++) {
    for (const [subject, done] of seen) {
      say(`${subject.name}, run ${i + 1} of ${runs}`);
      done.push(await measure(subject));
    }
  }
  return new Runs(seen);
}

/** `lost`: missing, repeated and misplaced deliveries. */
export function nothingLost(lost: number): Claim {
  return claim('nothing is lost, repeated or out of place on any connection', lost === 0, lost);
}
