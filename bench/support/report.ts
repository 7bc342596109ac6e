import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { pins } from './core.ts';
import { type Claim, marginOf, type Outcome, type Table, withUnit } from './scenario.ts';

/** A table and its claims, for people. */
export function asText({ tables, claims }: Outcome): string {
  return [...tables, ...(claims.length > 0 ? [claimsTable(claims)] : [])].map(tableText).join('\n\n');
}

export function asJson(name: string, options: object, outcome: Outcome, comparison?: Table): string {
  const { tables, claims, ratios = [], facts = {} } = outcome;
  const report = { name, options, machine: machine(), tables, claims, ratios, comparison, facts };
  return JSON.stringify(report, undefined, 2);
}

/** What the figures were seen on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** The server on one core, its load on another. */
  readonly pinned: boolean;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    pinned: pins(),
  };
}

export function machineText({ cpu, cores, kernel, node, pinned }: Machine): string {
  return `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, ${pinned ? 'server and load pinned to a core each' : 'nothing pinned'}`;
}

export function tableText({ title, columns, rows }: Table): string {
  const cells = [columns, ...rows].map((row) => row.map((cell) => cellText(cell)));
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)));
  const lines = cells.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [title, lines[0], rule, ...lines.slice(1)].join('\n');
}

function cellText(cell: string | number): string {
  return typeof cell === 'string' ? cell : withUnit(cell, '');
}

/** What was seen beside what was wanted, and by how much that was missed. */
function claimsTable(claims: readonly Claim[]): Table {
  const rows = claims.map(({ name, holds, seen, target }) => {
    if (target === undefined) return [name, '', seen, holds ? 'holds' : 'FAILS'];
    const missed = `FAILS by ${(-marginOf(target) * 100).toFixed(0)} %`;
    const wanted = `${target.is} ${withUnit(target.limit, target.unit)}`;
    return [name, wanted, seen, holds ? 'holds' : missed];
  });
  return { title: 'what it must show', columns: ['claim', 'target', 'seen', ''], rows };
}

export function percentText(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
