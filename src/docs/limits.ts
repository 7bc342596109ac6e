import { readFileSync } from 'node:fs';
import { options } from '../config.ts';
import { errorTable } from '../errors.ts';
import { caps } from '../sessions/admission/connection-caps.ts';
import { code, table } from './table.ts';

/**
 * The page whose sentences are written by hand and whose values are those of the code: of options, caps and constants.
 * Relative to the repository.
 */
export const limitsPath = 'src/LIMITS.md';

const capsNote = '<!-- From connection-caps.ts by `npm run docs`. -->';

/** A value, and the constant of the code that it is: `5 s<!-- fetchTimeoutMs, auth/key-document.ts -->`. */
export const valueForm = /(\d{1,3}(?: \d{3})+|\d+)( (?:KiB|MiB|ms|s))?<!-- (\w+), (\S+) -->/g;

const units: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 * 1024, s: 1000 };

/** The page with its table of caps anew, and with today's values: the default of each option, and constants. */
export function limitsText(page: string): string {
  return page
    .replace(/^(\| [^|]+ \| `(\w+)`: )[^|]+/gm, (cell, before, name) => {
      const option = options.find((each) => each.name === name);
      return option === undefined ? cell : `${before}${option.defaultText} `;
    })
    .replace(valueForm, (_, _before, unit: string = '', name: string, file: string) => {
      const value = constantOf(name, file) / (units[unit.trim()] ?? 1);
      const digits = value < 10_000 ? String(value) : value.toLocaleString('en').replaceAll(',', ' ');
      return `${digits}${unit}<!-- ${name}, ${file} -->`;
    })
    .replace(new RegExp(`${capsNote}\n\n(\\|.*\n)+`), () => `${capsNote}\n\n${capTable()}\n`);
}

/** A number of a source file: that of a constant or of a member, a product where it is written as one. */
function constantOf(name: string, file: string): number {
  const source = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
  const written = new RegExp(`\\b${name}(?: =|:) (\\d[\\d_ *]*\\b)`).exec(source)?.[1];
  if (written === undefined) throw new Error(`${limitsPath}: ${file} has no number ${name}`);
  const factors = written.replaceAll('_', '').split(' * ');
  return factors.reduce((product, factor) => {
    const [base = 0, power = 1] = factor.split(' ** ').map(Number);
    return product * base ** power;
  }, 1);
}

function capTable(): string {
  const rows = caps.map((cap) => {
    const { sentence, defaultText } = options.find(({ name }) => name === cap.limit)!;
    return [
      sentence,
      `${code(cap.limit)}: ${defaultText}`,
      `${errorTable[cap.code].http}: ${code(cap.code)}`,
      code(`connections_rejected_total{reason="${cap.code}"}`),
    ];
  });
  return table(['cap', 'option', 'above it', 'counted by'], rows);
}
