import { Session } from 'node:inspector';
import { basename } from 'node:path';

/** What one function allocated, without the functions that it calls. */
export interface Site {
  readonly site: string;
  readonly bytes: number;
}

/** What the main thread allocated between two calls, including garbage. Sampled, with an error of about 1 %. */
export interface Allocations {
  /** By code of the server, or by what it called. */
  readonly ownBytes: number;
  /** By all others: the load that runs in its process, Node itself. */
  readonly otherBytes: number;
  /** Of the server's, largest first. */
  readonly sites: readonly Site[];
}

const samplingInterval = 8192;
const sitesMax = 25;

type Node = import('node:inspector').HeapProfiler.SamplingHeapProfileNode;

/** In the worker: samples V8's allocations. Slows it down by a few per cent. */
export class AllocationSampler {
  readonly #session = new Session();

  constructor() {
    this.#session.connect();
    this.#session.post('HeapProfiler.startSampling', {
      samplingInterval,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    } as object);
  }

  end(): Promise<Allocations> {
    return new Promise((resolve, reject) => {
      this.#session.post('HeapProfiler.stopSampling', (error, result) => {
        this.#session.disconnect();
        if (error !== null) reject(error);
        else resolve(allocationsOf(result.profile.head));
      });
    });
  }
}

/** The gateway runs from `dist`; so do its allocations. */
const isServers = (url: string): boolean => url.includes('/dist/');

export function allocationsOf(head: Node): Allocations {
  const sites = new Map<string, number>();
  let ownBytes = 0;
  let otherBytes = 0;
  const visit = (node: Node, owner: string | undefined): void => {
    const { url, functionName, lineNumber } = node.callFrame;
    // Allocations of Node's library and of V8 count for the caller.
    const site = isServers(url)
      ? `${functionName || '(anonymous)'} ${basename(url)}:${lineNumber + 1}`
      : owner;
    if (site === undefined) otherBytes += node.selfSize;
    else {
      ownBytes += node.selfSize;
      const via = isServers(url) ? site : `${site} > ${functionName || '(anonymous)'}`;
      sites.set(via, (sites.get(via) ?? 0) + node.selfSize);
    }
    for (const child of node.children) visit(child, site);
  };
  visit(head, undefined);
  const sorted = [...sites].sort(([, a], [, b]) => b - a).slice(0, sitesMax);
  return { ownBytes, otherBytes, sites: sorted.map(([site, bytes]) => ({ site, bytes })) };
}
