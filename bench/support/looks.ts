import type { Allocations } from './allocations.ts';
import type { Gap, LoopTrace } from './loop-watch.ts';
import type { Table } from './scenario.ts';

/** Formats the details of a server's process, for people. */

const shownGaps = 10;
const shownSites = 15;

/** If the machine took this many milliseconds of a gap, an open-loop publisher has a backlog afterwards. */
const takenMs = 5;
/** For this many milliseconds after it, a gap is work on the backlog. */
const backlogMs = 100;

/** Gaps caused by the process itself, and not by a backlog after the machine had taken time from it. */
function ownGaps({ gaps }: LoopTrace): readonly Gap[] {
  const taken = gaps.filter(({ ms, ranMs }) => ms - ranMs >= takenMs);
  const isBacklog = (gap: Gap) =>
    taken.some(({ atMs, ms }) => gap.atMs > atMs && gap.atMs - (atMs + ms) < backlogMs);
  return gaps.filter((gap) => !isBacklog(gap));
}

/**
 * The part of a gap that the process caused itself. What was to be published while the machine had its core is worked
 * on in the same gap, and takes no longer than that.
 */
function ownMs({ ms, ranMs }: Gap): number {
  return Math.max(0, ranMs - (ms - ranMs));
}

/** The longest stall caused by the process itself, in milliseconds, without time that the machine took from it. */
export function longestOwnMs(trace: LoopTrace): number {
  return Math.max(0, ...ownGaps(trace).map(ownMs));
}

export function gapsTable(name: string, trace: LoopTrace): Table {
  const owned = ownGaps(trace);
  const longest = [...owned].sort((a, b) => ownMs(b) - ownMs(a)).slice(0, shownGaps);
  const own = (ms: number) => owned.filter((gap) => ownMs(gap) > ms).length;
  const collected = collections(trace).map(([kind, of]) => `${of.count} ${kind} (longest ${of.longest} ms)`);
  const backlog = trace.gaps.length - owned.length;
  const seen = `its own over 5 ms: ${own(5)}, over 10 ms: ${own(10)} (${backlog} more after the machine took its core)`;
  return {
    title: `${name}: gaps of the event loop in ${trace.seconds.toFixed(1)} s, ${seen}; ${collected.join(', ')}`,
    columns: ['at ms', 'gap ms', 'ran ms', 'its own ms', 'its helpers ms', 'collector ms'],
    rows: longest
      .sort(byTime)
      .map((gap) => [gap.atMs.toFixed(0), gap.ms, gap.ranMs, ownMs(gap), gap.helpersMs, gap.gcMs]),
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
