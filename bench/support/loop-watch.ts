import { constants, type NodeGCPerformanceDetail, PerformanceObserver } from 'node:perf_hooks';
import { OwnThread } from './proc.ts';

/** A time in which the event loop did not come round. Milliseconds, `atMs` since the watch began. */
export interface Gap {
  readonly atMs: number;
  readonly ms: number;
  /** The part in which the process ran, including the collector's threads. In the rest the machine ran others. */
  readonly ranMs: number;
  /** Of that: other threads than the loop's, which the collector and the compiler have. */
  readonly helpersMs: number;
  /** Of what it ran: the collector. */
  readonly gcMs: number;
}

export interface Collection {
  readonly atMs: number;
  readonly ms: number;
  readonly kind: string;
}

/** The longest gaps of a process's event loop between two calls, and all garbage collections. */
export interface LoopTrace {
  readonly seconds: number;
  readonly gaps: readonly Gap[];
  readonly collections: readonly Collection[];
}

/** As it is; the types of Node 20 lack the detail. */
type CollectionEntry = PerformanceEntry & { readonly detail: NodeGCPerformanceDetail };

/** Shorter gaps are no stalls, and too many. */
const leastGapMs = 3;
const tickMs = 1;

const kinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'scavenge',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'mark-compact',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental marking',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak callbacks',
};

/** In the worker: reads the clock and the CPU time of the process each millisecond. */
export class LoopWatch {
  readonly #startMs = performance.now();
  readonly #gaps: Omit<Gap, 'gcMs'>[] = [];
  readonly #collections: Collection[] = [];
  readonly #observer: PerformanceObserver;
  readonly #timer: NodeJS.Timeout;
  #lastMs = this.#startMs;
  #lastRanMs = ranMsOfProcess();
  readonly #thread = new OwnThread();
  #lastThreadMs = this.#thread.ranMs();

  constructor() {
    this.#observer = new PerformanceObserver((list) => this.#collected(list.getEntries()));
    this.#observer.observe({ entryTypes: ['gc'] });
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  async end(): Promise<LoopTrace> {
    clearInterval(this.#timer);
    this.#tick();
    // Collections are told a turn later.
    await new Promise((resolve) => setTimeout(resolve, 50));
    this.#observer.disconnect();
    const gaps = this.#gaps.map((gap) => ({ ...gap, gcMs: this.#gcMs(gap) }));
    return { seconds: (this.#lastMs - this.#startMs) / 1000, gaps, collections: this.#collections };
  }

  #tick(): void {
    const nowMs = performance.now();
    const ranMs = ranMsOfProcess();
    const threadMs = this.#thread.ranMs();
    const ms = nowMs - this.#lastMs - tickMs;
    if (ms >= leastGapMs) {
      const ran = ranMs - this.#lastRanMs;
      const helpersMs = Math.max(0, ran - (threadMs - this.#lastThreadMs));
      this.#gaps.push({ atMs: this.#lastMs - this.#startMs, ms, ranMs: Math.min(ms, ran), helpersMs });
    }
    this.#lastThreadMs = threadMs;
    this.#lastMs = nowMs;
    this.#lastRanMs = ranMs;
  }

  #collected(entries: readonly PerformanceEntry[]): void {
    for (const { startTime, duration, detail } of entries as readonly CollectionEntry[]) {
      const { kind = 0 } = detail;
      this.#collections.push({
        atMs: startTime - this.#startMs,
        ms: duration,
        kind: kinds[kind] ?? String(kind),
      });
    }
  }

  #gcMs({ atMs, ms }: Omit<Gap, 'gcMs'>): number {
    const endMs = atMs + ms + tickMs;
    return this.#collections
      .filter((each) => each.atMs + each.ms > atMs && each.atMs < endMs)
      .reduce((sum, each) => sum + each.ms, 0);
  }
}

/** On all threads: on a core of their own, as the server has here, they take it from each other. */
function ranMsOfProcess(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
