import { options } from '../config.ts';
import { errorTable } from '../errors.ts';
import { caps } from '../sessions/admission/connection-caps.ts';
import { code, table } from './table.ts';

/** The page that has generated parts in a text that is written by hand, relative to the repository. */
export const limitsPath = 'src/LIMITS.md';

const capsNote = '<!-- From connection-caps.ts by `npm run docs`. -->';

/** The page with its table of caps anew, and with today's default beside each option in the other tables. */
export function limitsText(page: string): string {
  return page
    .replace(/^(\| [^|]+ \| `(\w+)`: )[^|]+/gm, (cell, before, name) => {
      const option = options.find((each) => each.name === name);
      return option === undefined ? cell : `${before}${option.defaultText} `;
    })
    .replace(new RegExp(`${capsNote}\n\n(\\|.*\n)+`), () => `${capsNote}\n\n${capTable()}\n`);
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
