import { Option } from 'commander';

/** An option of a scenario: its default, and a sentence for `--help`. Lists are written `100,1000`. */
export interface OptionSpec<T extends number | string | boolean = number | string | boolean> {
  readonly default: T;
  readonly sentence: string;
  readonly choices?: readonly string[];
}

/** Options that most scenarios have. */
export const usual = {
  bytes: { default: 200, sentence: 'Size of a payload.' },
  seconds: { default: 5, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row; the table has their medians.' },
} as const;

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Widened<T> = T extends number ? number : T extends string ? string : boolean;
export type OptionsOf<T extends OptionTable> = { readonly [N in keyof T]: Widened<T[N]['default']> };

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** A statement that the scenario checks. The process fails when one doesn't hold. */
export interface Claim {
  readonly name: string;
  readonly holds: boolean;
  /** What was seen. */
  readonly seen: string;
  /** Where what is wanted is a number. */
  readonly target?: Target;
}

interface Target {
  readonly figure: number;
  readonly is: 'at most' | 'at least';
  readonly limit: number;
  readonly unit: string;
}

/**
 * The ratio of two subjects of the same run. Unlike absolute figures, ratios can be compared across machines and days.
 */
export interface Ratio {
  readonly name: string;
  readonly value: number;
  readonly better: 'lower' | 'higher';
}

export interface Outcome {
  readonly tables: readonly Table[];
  readonly claims: readonly Claim[];
  /** Claims for which the machine was too busy, with the evidence. They have their own exit code. */
  readonly unjudged?: readonly string[];
  /** The figures that `baseline.json` keeps. */
  readonly ratios?: readonly Ratio[];
  /** For `--json` only. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  readonly options: OptionTable;
  run(options: Readonly<Record<string, unknown>>, say: (line: string) => void): Promise<Outcome>;
}

/** Infers the options of `run` from the option table. */
export function scenario<T extends OptionTable>(
  options: T,
  run: (options: OptionsOf<T>, say: (line: string) => void) => Promise<Outcome>,
): Scenario {
  return { options, run: (values, say) => run(values as OptionsOf<T>, say) };
}

export function claim(name: string, holds: boolean, seen: string | number): Claim {
  return { name, holds, seen: String(seen) };
}

export function atMost(name: string, figure: number, limit: number, unit = ''): Claim {
  return targetClaim(name, { figure, is: 'at most', limit, unit });
}

export function atLeast(name: string, figure: number, limit: number, unit = ''): Claim {
  return targetClaim(name, { figure, is: 'at least', limit, unit });
}

function targetClaim(name: string, target: Target): Claim {
  const { figure, is, limit } = target;
  const holds = is === 'at most' ? figure <= limit : figure >= limit;
  return { name, holds, seen: withUnit(figure, target.unit), target };
}

/** `-0.1`: a tenth short of the limit; what holds is 0 or more. */
export function marginOf({ figure, is, limit }: Target): number {
  return is === 'at most' ? 1 - figure / limit : figure / limit - 1;
}

export function withUnit(figure: number, unit: string): string {
  const magnitude = Math.abs(figure);
  const text =
    Number.isInteger(figure) || magnitude >= 1000
      ? Math.round(figure).toLocaleString('en-US').replaceAll(',', ' ')
      : figure.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2);
  return unit === '' ? text : `${text} ${unit}`;
}

/** `numbers('100,1000')` is `[100, 1000]`. */
export function numbers(list: string): number[] {
  return list.split(',').map((item) => wholeNumber(item));
}

export function commandOption(name: string, spec: OptionSpec): Option {
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (typeof spec.default === 'boolean')
    return new Option(`--${spec.default ? 'no-' : ''}${words}`, spec.sentence).default(spec.default);
  const kind = typeof spec.default === 'number' ? 'N' : words.toUpperCase();
  const option = new Option(`--${words} <${kind}>`, spec.sentence).default(spec.default);
  if (typeof spec.default === 'number') option.argParser(wholeNumber);
  if (spec.choices) option.choices([...spec.choices]);
  return option;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${text} is not a whole number`);
  return Number(text);
}
