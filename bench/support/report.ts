import { availableParallelism, cpus } from 'node:os';
import type { Claim, Outcome, Table } from './scenario.ts';

/** A table and its claims, for people. */
export function asText({ tables, claims }: Outcome): string {
  return [...tables.map(tableText), claimsText(claims)].filter((text) => text !== '').join('\n\n');
}

export function asJson(name: string, options: object, { tables, claims, facts = {} }: Outcome): string {
  return JSON.stringify({ name, options, machine: machine(), tables, claims, facts }, undefined, 2);
}

/** What the figures were seen on. */
function machine(): { readonly cpu: string; readonly cores: number; readonly node: string } {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version };
}

function tableText({ title, columns, rows }: Table): string {
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
  if (typeof cell === 'string') return cell;
  if (Number.isInteger(cell)) return cell.toLocaleString('en-US').replaceAll(',', ' ');
  return cell.toFixed(2);
}

function claimsText(claims: readonly Claim[]): string {
  return claims.map(({ name, holds, seen }) => `${holds ? 'holds' : 'FAILS'}  ${name}: ${seen}`).join('\n');
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
