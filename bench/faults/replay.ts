import { type JournalRecord, kinds } from './journal.ts';
import { keyOf, topicOfClient, topics } from './plan.ts';
import type { Published } from './published.ts';

export interface Tally {
  live: number;
  recovered: number;
  snapshots: number;
  snapshotValues: number;
  /** State topics: skipped, because a newer value of the same key was handed over. */
  superseded: number;
  toldAsLost: number;
  resets: number;
  unaccounted: number;
  repeats: number;
  outOfOrder: number;
  /** Differs from what was acknowledged at that offset, or was never published. */
  wrong: number;
  /** Reported as lost although it was handed over, or never acknowledged. */
  wronglyTold: number;
}

export function emptyTally(): Tally {
  return {
    live: 0,
    recovered: 0,
    snapshots: 0,
    snapshotValues: 0,
    superseded: 0,
    toldAsLost: 0,
    resets: 0,
    unaccounted: 0,
    repeats: 0,
    outOfOrder: 0,
    wrong: 0,
    wronglyTold: 0,
  };
}

/** What one client got in one epoch. */
interface Visit {
  readonly epoch: string;
  /** It begins after this offset. */
  readonly after: number;
  last: number;
  /** A publication, or a whole snapshot. */
  isHandedOver: boolean;
  readonly seen: Set<number>;
  readonly told: { readonly after: number; readonly upto: number }[];
  readonly newestOfKey: Map<number, number>;
}

/** Replays the journal of one client, and then tells the fate of each publication of its topic. */
export class Replay {
  readonly #tally: Tally;
  readonly #published: Published;
  readonly #topic: number;
  readonly #complain: (problem: string) => void;
  #visits: Visit[] = [];

  constructor(client: number, published: Published, tally: Tally, complain: (problem: string) => void) {
    this.#topic = topicOfClient(client);
    this.#published = published;
    this.#tally = tally;
    this.#complain = (problem) => complain(`client ${client}, ${topics[this.#topic]!.name}: ${problem}`);
  }

  read(record: JournalRecord): void {
    const { epoch, offset, hash } = record;
    switch (record.kind) {
      case kinds.start:
        this.#visits = [visit(epoch, offset)];
        break;
      case kinds.reset:
        this.#tally.resets++;
        this.#visits.push(this.#begin(epoch, offset));
        break;
      case kinds.restart:
        this.#tally.resets++;
        this.#visits.push(visit(epoch, offset));
        break;
      case kinds.lost:
        this.#visit(epoch).told.push({ after: offset, upto: hash });
        break;
      case kinds.snapshot: {
        this.#tally.snapshots++;
        const now = this.#begunBy(this.#visit(epoch), offset);
        if (offset < now.last) this.#outOfOrder(`a snapshot of ${offset} after ${now.last}`);
        now.last = Math.max(now.last, offset);
        now.isHandedOver = true;
        break;
      }
      case kinds.entry:
        this.#tally.snapshotValues++;
        this.#see(this.#visit(epoch), record);
        break;
      default:
        this.#handedOver(this.#visit(epoch), record);
    }
  }

  /** Call it once, after the last record. */
  account(): void {
    const numberings = this.#published.byTopic[this.#topic]!;
    for (const [i, now] of this.#visits.entries()) {
      const isOver = i < this.#visits.length - 1;
      const acknowledged = numberings.get(now.epoch)?.acknowledged ?? [];
      const newest = isOver && topics[this.#topic]!.mode === 'state' ? newestByKey(acknowledged) : undefined;
      for (let offset = now.after + 1; offset < acknowledged.length; offset++) {
        const record = acknowledged[offset];
        if (record !== undefined) this.#accountFor(now, record, isOver, newest);
      }
    }
  }

  /** `newest`: in a state topic whose numbering has ended, the newest offset of each key. */
  #accountFor(
    now: Visit,
    { offset, serial }: JournalRecord,
    isOver: boolean,
    newest: ReadonlyMap<number, number> | undefined,
  ): void {
    const told = now.told.some(({ after, upto }) => offset > after && offset <= upto);
    if (now.seen.has(offset)) {
      if (told) this.#wronglyTold(`${offset} was handed over, and told as lost`);
    } else if (topics[this.#topic]!.mode === 'state' && (now.newestOfKey.get(keyOf(serial)) ?? 0) > offset) {
      this.#tally.superseded++;
    } else if (told || (isOver && Math.max(offset, newest?.get(keyOf(serial)) ?? 0) > now.last)) {
      // A new numbering began: what the client had not got by then is lost, and it was told. A client that was being
      // caught up gets only the newest value of each key, so the replaced values count as lost, too.
      this.#tally.toldAsLost++;
    } else {
      this.#tally.unaccounted++;
      this.#complain(`${offset} of ${now.epoch} is unaccounted for; its position was ${now.last}`);
    }
  }

  /**
   * A client may be cut between the reply to its first subscription and its snapshot, and come to a gateway that has
   * heard of less. It has had nothing, so it begins where that snapshot does.
   */
  #begunBy(now: Visit, offset: number): Visit {
    if (now.isHandedOver || offset >= now.after) return now;
    const begun = {
      ...visit(now.epoch, offset),
      seen: now.seen,
      newestOfKey: now.newestOfKey,
      isHandedOver: true,
    };
    this.#visits.splice(-1, 1, begun);
    return begun;
  }

  #handedOver(now: Visit, record: JournalRecord): void {
    const { kind, offset } = record;
    this.#tally[kind === kinds.live ? 'live' : 'recovered']++;
    if (now.seen.has(offset)) {
      this.#tally.repeats++;
      this.#complain(`${offset} was handed over again`);
    } else if (offset <= now.last) {
      this.#outOfOrder(`${offset} after ${now.last}`);
    }
    now.last = Math.max(now.last, offset);
    now.isHandedOver = true;
    this.#see(now, record);
  }

  #see(now: Visit, { epoch, offset, serial, hash }: JournalRecord): void {
    now.seen.add(offset);
    const key = keyOf(serial);
    now.newestOfKey.set(key, Math.max(now.newestOfKey.get(key) ?? 0, offset));
    const acknowledged = this.#published.at(this.#topic, epoch, offset);
    const right =
      acknowledged === undefined
        ? this.#published.sent.get(serial) === hash
        : acknowledged.serial === serial && acknowledged.hash === hash;
    if (right) return;
    this.#tally.wrong++;
    this.#complain(`at ${offset} of ${epoch} came ${serial}, which is not what was acknowledged there`);
  }

  /** A client of an empty topic learns its epoch with the first publication. */
  #visit(epoch: string): Visit {
    const now = this.#visits.at(-1);
    if (now?.epoch === epoch) return now;
    if (now === undefined || now.epoch !== '')
      this.#complain(`something of epoch ${epoch} came without a word on it, while in ${now?.epoch}`);
    const next = this.#begin(epoch, 0);
    this.#visits.push(next);
    return next;
  }

  /** A gateway that lags may go back to a numbering of which the client has had something. */
  #begin(epoch: string, offset: number): Visit {
    const before = this.#visits.findLast((each) => each.epoch === epoch && epoch !== '');
    if (before === undefined) return visit(epoch, offset);
    const after = Math.max(before.after, offset);
    return { ...before, after, last: after };
  }

  #outOfOrder(problem: string): void {
    this.#tally.outOfOrder++;
    this.#complain(problem);
  }

  #wronglyTold(problem: string): void {
    this.#tally.wronglyTold++;
    this.#complain(problem);
  }
}

function newestByKey(acknowledged: readonly (JournalRecord | undefined)[]): ReadonlyMap<number, number> {
  const newest = new Map<number, number>();
  for (const record of acknowledged)
    if (record !== undefined) newest.set(keyOf(record.serial), record.offset);
  return newest;
}

function visit(epoch: string, after: number): Visit {
  return {
    epoch,
    after,
    last: after,
    isHandedOver: false,
    seen: new Set(),
    told: [],
    newestOfKey: new Map(),
  };
}
