import { Option } from 'commander';

/** An option of a scenario: what it is when nobody says, and a sentence for `--help`. Lists are written `100,1000`. */
export interface OptionSpec<T extends number | string | boolean = number | string | boolean> {
  readonly default: T;
  readonly sentence: string;
  readonly choices?: readonly string[];
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Widened<T> = T extends number ? number : T extends string ? string : boolean;
export type OptionsOf<T extends OptionTable> = { readonly [N in keyof T]: Widened<T[N]['default']> };

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** Something that the scenario says is so. The process fails when one doesn't hold. */
export interface Claim {
  readonly name: string;
  readonly holds: boolean;
  /** What was seen, beside what was wanted. */
  readonly seen: string;
}

export interface Outcome {
  readonly tables: readonly Table[];
  readonly claims: readonly Claim[];
  /** For `--json` only. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  readonly options: OptionTable;
  run(options: Readonly<Record<string, unknown>>, say: (line: string) => void): Promise<Outcome>;
}

/** Ties the option table to the type of what `run` gets. */
export function scenario<T extends OptionTable>(
  options: T,
  run: (options: OptionsOf<T>, say: (line: string) => void) => Promise<Outcome>,
): Scenario {
  return { options, run: (values, say) => run(values as OptionsOf<T>, say) };
}

export function claim(name: string, holds: boolean, seen: string | number): Claim {
  return { name, holds, seen: String(seen) };
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
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${text} is no whole number`);
  return Number(text);
}
