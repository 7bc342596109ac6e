import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Machine } from './report.ts';
import type { Ratio, Table } from './scenario.ts';

const path = fileURLToPath(new URL('../baseline.json', import.meta.url));

interface Baseline {
  /** The machine of the newest figures. */
  readonly machine?: Machine;
  readonly ratios: Readonly<Record<string, number>>;
}

/** By scenario and name. */
export type KeyedRatios = ReadonlyMap<string, Ratio>;

const separator = ': ';

/** Figures that `claims` took from other scenarios already have their names. */
export function keyed(scenario: string, ratios: readonly Ratio[]): KeyedRatios {
  const prefix = scenario === 'claims' ? '' : `${scenario}${separator}`;
  return new Map(ratios.map((ratio) => [`${prefix}${ratio.name}`, ratio]));
}

/** The usual difference between runs on a quiet machine. */
const tolerance = 0.15;

export function comparison(ratios: KeyedRatios, baseline: Baseline = readBaseline()): Table {
  const rows = [...ratios].map(([name, { value, better }]) => {
    const before = baseline.ratios[name];
    if (before === undefined) return [name, value, '', '', 'new'];
    const change = value / before;
    const worse = better === 'lower' ? change > 1 + tolerance : change < 1 - tolerance;
    const improved = better === 'lower' ? change < 1 - tolerance : change > 1 + tolerance;
    return [name, value, before, change, worse ? 'worse' : improved ? 'better' : 'same'];
  });
  return { title: 'ratios beside baseline.json', columns: ['', 'now', 'baseline', 'change', ''], rows };
}

/** Replaces these, and keeps those of other scenarios. */
export function saveBaseline(ratios: KeyedRatios, machine: Machine): void {
  const kept = { ...readBaseline().ratios };
  for (const [name, { value }] of ratios) kept[name] = Number(value.toPrecision(3));
  const sorted = Object.fromEntries(Object.entries(kept).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(path, `${JSON.stringify({ machine, ratios: sorted } satisfies Baseline, undefined, 2)}\n`);
}

function readBaseline(): Baseline {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Baseline) : { ratios: {} };
}
