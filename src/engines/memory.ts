import { randomBytes } from 'node:crypto';
import type { Awaitable } from '../awaitable.ts';
import { steadyNowMs } from '../clock.ts';
import { SluiceError } from '../errors.ts';
import type { Position } from '../protocol/frames.ts';
import { Acknowledged, type AcknowledgedLimits } from '../topics/acknowledged.ts';
import type {
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  Numbering,
  StoredTopic,
} from '../topics/engine.ts';
import { MessageIds, publicationDigest } from '../topics/idempotency.ts';
import { IdleTopics } from '../topics/idle-topics.ts';
import { MessageIdBudget, type MessageIdLimits } from '../topics/message-id-budget.ts';
import { StoredPublication } from '../topics/publication.ts';

const noRun: StoredPublication[] = [];
const nowhere: Position = { epoch: '', offset: 0 };

/** A topic with content. */
interface Head extends Numbering {
  offset: number;
  seq: number;
  messageIds: MessageIds | undefined;
  /** In state mode: keys whose newest publication has a TTL -> its offset. */
  readonly expiring: Map<string, number> | undefined;
}

export interface MemoryOptions {
  /** Whether a topic is in state mode. */
  readonly isState: (topic: string) => boolean;
  /** Maximum numberings kept of topics without content. */
  readonly numberingsMax?: number;
  readonly messageIds?: MessageIdLimits;
  readonly acknowledged?: AcknowledgedLimits;
  /** Milliseconds since 1970 on a clock that does not jump. */
  readonly nowMs?: () => number;
}

/**
 * Numbers topics in the memory of this process, and commits at once. The rings of the node keep the publications, so
 * there is nothing to load. Nothing survives the process.
 */
export class MemoryEngine implements Engine {
  readonly name = 'memory';
  readonly retains = false;
  readonly epoch = randomBytes(6).toString('base64url');
  readonly acknowledged: Acknowledged;
  readonly #isState: (topic: string) => boolean;
  readonly #nowMs: () => number;
  readonly #heads = new Map<string, Head>();
  readonly #idle: IdleTopics<Numbering>;
  readonly #messageIds: MessageIdBudget;
  #seq = 0;
  #forgottenSeq = 0;
  #feed: EngineFeed | undefined;
  /** Publications of one topic that the feed has not heard of yet. */
  #run: StoredPublication[] = noRun;
  #runEpoch = '';
  #closed = false;

  constructor(options: MemoryOptions) {
    this.#isState = options.isState;
    this.#nowMs = options.nowMs ?? steadyNowMs;
    this.#idle = new IdleTopics(options.numberingsMax);
    this.#messageIds = new MessageIdBudget(options.messageIds);
    this.acknowledged = new Acknowledged(options.acknowledged);
  }

  get seq(): number {
    return this.#seq;
  }

  get forgottenSeq(): number {
    return this.#forgottenSeq;
  }

  get messageIdBytes(): number {
    return this.#messageIds.bytesAt(this.#nowMs());
  }

  async open(feed: EngineFeed): Promise<void> {
    this.#feed = feed;
  }

  append(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]> {
    // Sized in advance: there is nearly always one request, and an empty array allocates for 17 at the first push
    // (`bench -- unicast --allocations`).
    const outcomes = new Array<AppendOutcome>(requests.length);
    // One time for all: where room for a message id becomes free between two, the later one would overtake.
    const nowMs = this.#nowMs();
    for (let i = 0; i < requests.length; i++) outcomes[i] = this.#append(requests[i] as AppendRequest, nowMs);
    this.#tell();
    return outcomes;
  }

  async load(): Promise<StoredTopic | undefined> {
    return undefined;
  }

  forget(topic: string): boolean {
    const head = this.#heads.get(topic);
    if (head === undefined) return true;
    if (head.messageIds !== undefined && head.messageIds.prune(this.#nowMs()) > 0) return false;
    const { epoch, offset, seq, bornAfterSeq } = head;
    this.#heads.delete(topic);
    this.#idle.add(topic, { epoch, offset, seq, bornAfterSeq }, this.#seq);
    for (const dropped of this.#idle.dropSurplus())
      this.#forgottenSeq = Math.max(this.#forgottenSeq, dropped.seq);
    return true;
  }

  numbering(topic: string): Numbering | undefined {
    return this.#idle.get(topic);
  }

  numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    return this.#idle.numberings(afterSeq);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Appends; the feed hears of it with the next `#tell`. */
  #append(request: AppendRequest, nowMs: number): AppendOutcome {
    const { fields, publishedAtMs, timestampMs, acceptedAtMs, ifNewest, expected } = request;
    if (this.#closed || this.#feed === undefined)
      return { ok: false, error: new SluiceError('shutting_down') };
    if (ifNewest !== undefined && !this.#isNewest(fields, ifNewest))
      return { ok: false, error: new SluiceError('not_found') };
    if (expected !== undefined && !this.#isAt(fields.topic, expected))
      return { ok: false, error: new SluiceError('position_conflict') };
    const refusal = this.#refusal(request, nowMs);
    if (refusal !== undefined) return { ok: false, error: refusal };
    const head = this.#head(fields.topic);
    const earlier = fields.messageId === undefined ? undefined : this.#outcomeById(head, request, nowMs);
    if (earlier !== undefined) return earlier;
    const publication = new StoredPublication(
      fields,
      head.offset + 1,
      ++this.#seq,
      publishedAtMs,
      acceptedAtMs,
      timestampMs,
    );
    head.offset = publication.offset;
    head.seq = publication.seq;
    if (publication.ttlMs === undefined) head.expiring?.delete(fields.key ?? '');
    else head.expiring?.set(fields.key ?? '', publication.offset);
    this.#addToRun(publication, head.epoch);
    return { ok: true, epoch: head.epoch, offset: publication.offset, duplicate: false };
  }

  /** Consecutive publications of one topic are fed together. */
  #addToRun(publication: StoredPublication, epoch: string): void {
    if (this.#run[0]?.topic === publication.topic) {
      this.#run.push(publication);
      return;
    }
    this.#tell();
    this.#run = [publication];
    this.#runEpoch = epoch;
  }

  #tell(): void {
    const run = this.#run;
    const first = run[0];
    if (first === undefined) return;
    this.#run = noRun;
    this.#feed?.appended(first.topic, this.#runEpoch, run);
    // It has content again.
    this.#idle.delete(first.topic);
  }

  #isNewest({ topic, key }: AppendRequest['fields'], { epoch, offset }: Position): boolean {
    const head = this.#heads.get(topic);
    return head?.epoch === epoch && head.expiring?.get(key ?? '') === offset;
  }

  #isAt(topic: string, expected: Position): boolean {
    const { epoch, offset } = this.#heads.get(topic) ?? this.#idle.get(topic) ?? nowhere;
    return epoch === expected.epoch && offset === expected.offset;
  }

  #head(topic: string): Head {
    let head = this.#heads.get(topic);
    if (head === undefined) {
      const idle = this.#idle.get(topic);
      head = {
        epoch: idle?.epoch ?? randomBytes(6).toString('base64url'),
        offset: idle?.offset ?? 0,
        seq: idle?.seq ?? 0,
        bornAfterSeq: idle?.bornAfterSeq ?? this.#forgottenSeq,
        messageIds: undefined,
        expiring: this.#isState(topic) ? new Map() : undefined,
      };
      this.#heads.set(topic, head);
    }
    return head;
  }

  /** Checked first, so that no topic begins with a publish whose message id can't be remembered. */
  #refusal({ fields: { topic, messageId }, payer }: AppendRequest, nowMs: number): SluiceError | undefined {
    if (messageId === undefined || this.#heads.has(topic)) return undefined;
    return this.#messageIds.refusal(payer, nowMs);
  }

  /** The outcome of a publish, if its message id decides it; otherwise remembers the id. */
  #outcomeById(head: Head, { fields, payer }: AppendRequest, nowMs: number): AppendOutcome | undefined {
    head.messageIds ??= new MessageIds(this.#messageIds);
    const candidate = {
      messageId: fields.messageId as string,
      digest: publicationDigest(fields),
      payer,
      epoch: head.epoch,
      offset: head.offset + 1,
    };
    return head.messageIds.outcomeOf(candidate, nowMs);
  }
}
