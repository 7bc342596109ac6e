import type { AppendOutcome, AppendRequest } from '../../topics/engine.ts';
import { type BatchReply, isKept, type Picture, type UpstreamRequest } from '../replica/upstream.ts';
import { readReply } from './batch.ts';

/** When the requests of this many of the latest batches were accepted is known when their commits come by the log. */
const recentBatches = 64;

/** The outcome of a request that was done, though its publisher was told that it could not be. */
interface Fate {
  readonly epoch: string;
  readonly seq: number;
  readonly outcome: AppendOutcome;
}

interface SentBatch {
  readonly number: number;
  requests: readonly UpstreamRequest[];
}

/** How a server numbers its commits. */
type Commits = Pick<Picture, 'epoch' | 'former'>;

/**
 * The batches that this node has sent, by number. Where a reply does not come, or replicas do not have the batch in
 * time, its publishers are told of a failure, and may send the very same requests again. So the outcomes that are found
 * out later are kept for them.
 */
export class SentBatches {
  #count = 0;
  // Arrays, because V8 replaces the table of a `Map` that changes often. Once one table is old, it keeps all later ones
  // and what was in them until the next mark-compact.
  /**
   * When the requests of the latest batches were accepted, each at its number modulo `recentBatches`. Not the requests:
   * they would be most of what a scavenge copies in a node that publishes (`bench -- cluster`).
   */
  readonly #accepted: (readonly number[])[] = [];
  /** Batches whose reply may still come. */
  #open: SentBatch[] = [];
  /** Batches of connections that are over, by which no reply came. */
  #unreplied: SentBatch[] = [];
  readonly #fates = new WeakMap<AppendRequest, Fate>();
  /** There was one. */
  #hasFates = false;

  /** Some have no reply. */
  get hasUnreplied(): boolean {
    return this.#unreplied.length > 0;
  }

  /** Batches up to this one are given up, as the server may not have done them yet; 0: none. */
  get fence(): number {
    return this.hasUnreplied ? this.#count : 0;
  }

  /** Returns the number of the batch. */
  add(requests: readonly UpstreamRequest[]): number {
    const number = ++this.#count;
    this.#accepted[number % recentBatches] = requests.map(({ request }) => request.acceptedAtMs);
    this.#open.push({ number, requests });
    return number;
  }

  /** The server has done the batch, or refused it. */
  replied(number: number): void {
    const at = this.#open.findIndex((batch) => batch.number === number);
    if (at === -1) return;
    const [batch] = this.#open.splice(at, 1) as [SentBatch];
    // Where batches mostly live long, V8 makes them old from the start: a done one would keep its requests, too.
    batch.requests = [];
  }

  /**
   * The connection is over. Replies that have not come yet don't wait for its last moments: another connection would be
   * in use by then, which has not fenced their batches.
   */
  lost(): void {
    this.#unreplied.push(...this.#open);
    this.#open = [];
  }

  /** The server has given up what it had not done. `replies`: to what it had done, by the number of the batch. */
  settle(replies: ReadonlyMap<number, string>): void {
    for (const { number, requests } of this.#unreplied) {
      const reply = replies.get(number);
      if (reply !== undefined) this.keep(requests, readReply(reply, requests));
    }
    this.#unreplied = [];
  }

  /** Keeps the outcomes for when the requests come again. */
  keep(requests: readonly UpstreamRequest[], { epoch, seq, outcomes }: BatchReply): void {
    this.#hasFates = true;
    for (const [i, { request }] of requests.entries())
      this.#fates.set(request, { epoch, seq, outcome: outcomes[i] as AppendOutcome });
  }

  /** Those whose outcomes are not known, or that the server has lost since: they have to be done. */
  undone(requests: readonly UpstreamRequest[], commits: Commits): readonly UpstreamRequest[] {
    if (!this.#hasFates) return requests;
    return requests.filter(({ request }) => !this.#isDone(request, commits));
  }

  /** The reply for `all`, of which `asked` had to be done and got this reply. */
  merge(all: readonly UpstreamRequest[], asked: readonly UpstreamRequest[], reply: BatchReply): BatchReply {
    if (asked.length === all.length) return reply;
    const { epoch, seq, outcomes } = reply;
    const outcomeOf = new Map(asked.map((request, i) => [request, outcomes[i] as AppendOutcome]));
    let newest = seq;
    const merged = all.map((each) => {
      const fate = this.#fates.get(each.request);
      // A commit of a former numbering was in the picture of this one.
      if (fate?.epoch === epoch) newest = Math.max(newest, fate.seq);
      return outcomeOf.get(each) ?? (fate as Fate).outcome;
    });
    return { epoch, seq: newest, outcomes: merged };
  }

  /** When the request of a batch was accepted; 0: it is not known any more. */
  acceptedAtMs(batch: number, index: number): number {
    if (batch > this.#count || batch <= this.#count - recentBatches) return 0;
    return this.#accepted[batch % recentBatches]?.[index] ?? 0;
  }

  #isDone(request: AppendRequest, commits: Commits): boolean {
    const fate = this.#fates.get(request);
    if (fate === undefined) return false;
    if (isKept(commits, fate)) return true;
    this.#fates.delete(request);
    return false;
  }
}
