import { isFinal, isLoading } from './causes.ts';
import { placesOf } from './connection.ts';
import type { RedisOptions } from './options.ts';
import { otherScheme } from './other-scheme.ts';
import type { Warnings } from './warnings.ts';

/** The delay between two attempts to connect. */
const retryMs = { least: 50, most: 1000 };
/**
 * How long a gateway that starts tries. A Redis that is reached, and refuses the work or is slow with it, will be
 * ready: a cluster is moving the slot, or has no master of it at the moment.
 */
const withinMsDefault = { unreached: 5000, reached: 60_000 };

/** How long a gateway that starts waits for Redis. */
export class Patience {
  readonly #options: Pick<RedisOptions, 'server' | 'openWithinMs'>;
  readonly #warnings: Warnings;
  /** Whether the newest attempt to connect has reached Redis. */
  isReached = false;

  constructor(options: Pick<RedisOptions, 'server' | 'openWithinMs'>, warnings: Warnings) {
    this.#options = options;
    this.#warnings = warnings;
  }

  /** What is told instead of a failure to reach Redis that says less. */
  async explained(cause: Error): Promise<Error> {
    if (this.isReached || isFinal(cause)) return cause;
    return (await otherScheme(this.#options.server)) ?? cause;
  }

  /** Throws if there is to be no further attempt. `waitedMs`: how long it will have waited by then. */
  wait(cause: Error, waitedMs: number): void {
    const { unreached, reached } = this.#options.openWithinMs ?? withinMsDefault;
    const problem = `Redis can't be used at ${placesOf(this.#options.server)}: ${cause.message}`;
    const isOver = !isLoading(cause) && waitedMs > (this.isReached ? reached : unreached);
    if (isFinal(cause) || isOver) throw new Error(problem, { cause });
    if (waitedMs > unreached) this.#warnings.notReady(problem);
  }
}

export function nextDelay(delayMs: number): number {
  const doubled = Math.max(retryMs.least, Math.min(retryMs.most, 2 * delayMs));
  return doubled * (0.75 + Math.random() / 2);
}
