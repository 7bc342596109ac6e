import type { Maker } from '../topics/topic-shares.ts';

/** Topics that one client has made on one node. */
export interface MakerReport {
  readonly maker: Maker;
  readonly topics: readonly string[];
  /** How many of them had no numbering. */
  readonly begun: number;
}

/** By this name nodes tell each other what clients have made. */
export const madeCall = 'made';

const topicsAtOnce = 1000;

/**
 * Tells other nodes which topics clients make here, once a turn. So every process charges a client for all of its
 * topics and their content, wherever it publishes. A message may be lost: then others charge no one for those.
 */
export class MakerReports {
  readonly #tell: (made: MakerReport) => void;
  readonly #untold = new Map<string, { readonly maker: Maker; topics: string[]; begun: number }>();

  constructor(tell: (made: MakerReport) => void) {
    this.#tell = tell;
  }

  add(topic: string, { account, isVerified }: Maker, isNew: boolean): void {
    if (this.#untold.size === 0) setImmediate(() => this.#tellAll());
    const made = this.#untold.get(account) ?? { maker: { account, isVerified }, topics: [], begun: 0 };
    this.#untold.set(account, made);
    made.topics.push(topic);
    if (isNew) made.begun++;
    if (made.topics.length < topicsAtOnce) return;
    this.#tell({ ...made });
    Object.assign(made, { topics: [], begun: 0 });
  }

  #tellAll(): void {
    for (const made of this.#untold.values()) if (made.topics.length > 0) this.#tell(made);
    this.#untold.clear();
  }
}
