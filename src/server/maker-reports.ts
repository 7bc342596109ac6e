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
  readonly #waiting = new Map<string, { readonly maker: Maker; topics: string[]; begun: number }>();

  constructor(tell: (made: MakerReport) => void) {
    this.#tell = tell;
  }

  add(topic: string, { account, isVerified }: Maker, isNew: boolean): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#tellAll());
    const report = this.#waiting.get(account) ?? { maker: { account, isVerified }, topics: [], begun: 0 };
    this.#waiting.set(account, report);
    report.topics.push(topic);
    if (isNew) report.begun++;
    if (report.topics.length < topicsAtOnce) return;
    this.#tell({ ...report });
    Object.assign(report, { topics: [], begun: 0 });
  }

  #tellAll(): void {
    for (const report of this.#waiting.values()) if (report.topics.length > 0) this.#tell(report);
    this.#waiting.clear();
  }
}
