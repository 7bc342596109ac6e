import type { Published } from '../topics/content-shares.ts';
import type { Maker } from '../topics/topic-shares.ts';

/** What one client has made on one node. */
export interface MakerReport {
  readonly maker: Maker;
  readonly topics: readonly string[];
  /** How many of them had no numbering. */
  readonly begun: number;
  /** Absent in those of older versions. */
  readonly published?: readonly Published[];
}

/** By this name nodes tell each other what clients have made. */
export const madeCall = 'made';

const entriesAtOnce = 1000;

interface Waiting {
  readonly maker: Maker;
  topics: string[];
  begun: number;
  published: Published[];
}

/**
 * Tells other nodes which topics clients make here and what they publish, once a turn. So every process charges a
 * client for all of it, wherever it publishes. A message may be lost: then others charge no one for that.
 */
export class MakerReports {
  readonly #tell: (made: MakerReport) => void;
  readonly #waiting = new Map<string, Waiting>();

  constructor(tell: (made: MakerReport) => void) {
    this.#tell = tell;
  }

  made(topic: string, maker: Maker, isNew: boolean): void {
    const report = this.#reportOf(maker);
    report.topics.push(topic);
    if (isNew) report.begun++;
  }

  published(published: Published, maker: Maker): void {
    const report = this.#reportOf(maker);
    const last = report.published.at(-1);
    if (last?.topic !== published.topic || published.key !== undefined) report.published.push(published);
    else report.published.splice(-1, 1, { ...published, bytes: last.bytes + published.bytes });
  }

  #reportOf({ account, isVerified }: Maker): Waiting {
    if (this.#waiting.size === 0) setImmediate(() => this.#tellAll());
    let report = this.#waiting.get(account);
    if (report !== undefined && report.topics.length + report.published.length >= entriesAtOnce) {
      this.#tell(report);
      report = undefined;
    }
    report ??= { maker: { account, isVerified }, topics: [], begun: 0, published: [] };
    this.#waiting.set(account, report);
    return report;
  }

  #tellAll(): void {
    for (const report of this.#waiting.values()) this.#tell(report);
    this.#waiting.clear();
  }
}
