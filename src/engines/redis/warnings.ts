const codes = {
  clock: 'SLUICE_CLOCK',
  evicts: 'SLUICE_REDIS_EVICTS',
  foreignMessage: 'SLUICE_FOREIGN_MESSAGE',
  newerGateway: 'SLUICE_NEWER_GATEWAY',
  notReady: 'SLUICE_REDIS_NOT_READY',
  refused: 'SLUICE_REDIS_REFUSES',
} as const;

/** Warns of each thing once for each text. */
export class Warnings {
  readonly #given = new Set<string>();

  /** The clock that the gateways share is ahead of this machine's by this. */
  clock(aheadMs: number): void {
    const seconds = Math.round(Math.abs(aheadMs) / 1000);
    this.#give(
      'clock',
      `The clock of this machine is ${seconds} s ${aheadMs > 0 ? 'behind' : 'ahead of'} the clock of Redis. Ages and TTLs go by the latter; tokens expire, and timestamps are given, by the former.`,
    );
  }

  /** `key`: of the messages of gateways. */
  foreignMessage(key: string): void {
    this.#give(
      'foreignMessage',
      `Something other than a gateway writes to ${key} in Redis. What it says is ignored.`,
    );
  }

  evicts(policy: string): void {
    this.#give('evicts', `maxmemory-policy ${policy} lets Redis drop publications: set it to noeviction.`);
  }

  /** `kind`: of an entry of the log. */
  newerGateway(kind: string): void {
    this.#give(
      'newerGateway',
      `The log in Redis has entries of the kind "${kind}", which this version does not know: a newer one runs beside it.`,
    );
  }

  notReady(problem: string): void {
    this.#give('notReady', `${problem}. It is tried again.`);
  }

  /** `refusal`: of a PUBLISH to the feed, or of a SET or RPUSH of a message id, with the command. */
  refused(feed: string, refusal: string): void {
    const problem = refusal.startsWith('PUBLISH ')
      ? `to publish to ${feed}: gateways hear of publications by others only once a second`
      : 'to remember message ids: a publication that comes again is published again';
    this.#give('refused', `Redis refuses ${problem} (${refusal}).`);
  }

  #give(about: keyof typeof codes, text: string): void {
    if (this.#given.has(text)) return;
    this.#given.add(text);
    process.emitWarning(text, { type: 'SluiceWarning', code: codes[about] });
  }
}
