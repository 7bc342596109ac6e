import type { Allocations } from './allocations.ts';
import type { Gap, LoopTrace } from './loop-watch.ts';
import type { Table } from './scenario.ts';

/** What a server's process told of itself, for people. */

const shownGaps = 10;
const shownSites = 15;

/** The longest stall that the process made itself, milliseconds: what its threads ran, not what the machine took from them. */
export function longestOwnMs({ gaps }: LoopTrace): number {
  return Math.max(0, ...gaps.map(({ ranMs }) => ranMs));
}

export function gapsTable(name: string, trace: LoopTrace): Table {
  const longest = [...trace.gaps].sort((a, b) => b.ranMs - a.ranMs).slice(0, shownGaps);
  const own = (ms: number) => trace.gaps.filter(({ ranMs }) => ranMs > ms).length;
  const collected = collections(trace).map(([kind, of]) => `${of.count} ${kind} (longest ${of.longest} ms)`);
  const seen = `its own over 5 ms: ${own(5)}, over 10 ms: ${own(10)}`;
  return {
    title: `${name}: gaps of the event loop in ${trace.seconds.toFixed(1)} s, ${seen}; ${collected.join(', ')}`,
    columns: ['at ms', 'gap ms', 'ran ms', 'its helpers ms', 'collector ms'],
    rows: longest
      .sort(byTime)
      .map(({ atMs, ms, ranMs, helpersMs, gcMs }) => [atMs.toFixed(0), ms, ranMs, helpersMs, gcMs]),
  };
}

const byTime = (a: Gap, b: Gap): number => a.atMs - b.atMs;

function collections({ collections }: LoopTrace): [kind: string, of: { count: number; longest: string }][] {
  const kinds = [...new Set(collections.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const each = collections.filter((collection) => collection.kind === kind).map(({ ms }) => ms);
    return [kind, { count: each.length, longest: Math.max(...each).toFixed(1) }];
  });
}

export function allocationsTable(name: string, allocations: Allocations, publications: number): Table {
  const each = (bytes: number) => Math.round(bytes / publications);
  const { ownBytes, otherBytes, sites } = allocations;
  return {
    title: `${name}: bytes allocated per publication`,
    columns: ['site', 'bytes'],
    rows: [
      ['its own, together', each(ownBytes)],
      ['load and Node', each(otherBytes)],
      ...sites.slice(0, shownSites).map(({ site, bytes }) => [site, each(bytes)]),
    ],
  };
}
