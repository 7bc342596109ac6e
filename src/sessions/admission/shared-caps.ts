import type { Awaitable } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { NodeCounts } from '../../topics/engine.ts';
import { type CapLimits, type Caps, ConnectionCaps, type Holder, type TakenSeat } from './connection-caps.ts';

export interface SharedCapsOptions {
  readonly limits: CapLimits;
  readonly counts: NodeCounts;
  /** Asks the other nodes to end this session of the holder. Resolves with whether one of them had it. */
  readonly replace: (session: string, holder: Holder) => Promise<boolean>;
}

/**
 * Caps that hold for all nodes of an engine together: exact for the connections of this node, and of others as they
 * were at the last heartbeat. A client that is about to be refused for what others have is counted as of now.
 */
export class SharedCaps implements Caps {
  readonly #options: SharedCapsOptions;
  readonly #own: ConnectionCaps;

  constructor(options: SharedCapsOptions) {
    this.#options = options;
    this.#own = new ConnectionCaps(options.limits, options.counts);
  }

  problem(holder: Holder): SluiceError | undefined {
    return this.#own.problem(holder);
  }

  take(holder: Holder, former?: string): Awaitable<TakenSeat | SluiceError> {
    const seat = this.#own.take(holder);
    if (!(seat instanceof SluiceError) || this.#own.problem(holder, 'here') !== undefined) return seat;
    return this.#takeLate(holder, former);
  }

  async #takeLate(holder: Holder, former: string | undefined): Promise<TakenSeat | SluiceError> {
    const { counts, replace } = this.#options;
    // The session whose place it takes over is still counted.
    if (former !== undefined && (await replace(former, holder))) return this.#own.takeHere(holder);
    await counts.refresh();
    return this.#own.take(holder);
  }
}
