import { randomBytes } from 'node:crypto';
import type { Awaitable } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { Position } from '../protocol/frames.ts';
import type { AppendOutcome, AppendRequest, Engine, EngineFeed, StoredTopic } from '../topics/engine.ts';
import { MessageIds, publicationDigest } from '../topics/idempotency.ts';
import { StoredPublication } from '../topics/publication.ts';

interface Head {
  readonly epoch: string;
  offset: number;
  messageIds: MessageIds | undefined;
  /** In state mode: the keys whose newest publication has a TTL, and its offset. */
  readonly expiring: Map<string, number> | undefined;
}

export interface MemoryOptions {
  /** Whether a topic is in state mode. */
  readonly isState: (topic: string) => boolean;
  /** Milliseconds since 1970. */
  readonly nowMs?: () => number;
}

/**
 * Topics in this process's memory: numbering and message ids. What was published is kept by the node's own rings, so
 * there is nothing to load. Commits at once, and so survives what the process survives.
 */
export class MemoryEngine implements Engine {
  readonly name = 'memory';
  readonly retains = false;
  readonly #isState: (topic: string) => boolean;
  readonly #nowMs: () => number;
  readonly #heads = new Map<string, Head>();
  #feed: EngineFeed | undefined;
  #closed = false;

  constructor(options: MemoryOptions) {
    this.#isState = options.isState;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  async open(feed: EngineFeed): Promise<void> {
    this.#feed = feed;
  }

  append(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]> {
    const outcomes: AppendOutcome[] = [];
    let run: StoredPublication[] = [];
    let epoch = '';
    for (const request of requests) {
      if (run.length > 0 && run[0]?.topic !== request.fields.topic) {
        this.#tell(run, epoch);
        run = [];
      }
      const outcome = this.#append(request, run);
      if (outcome.ok) epoch = outcome.epoch;
      outcomes.push(outcome);
    }
    this.#tell(run, epoch);
    return outcomes;
  }

  async load(): Promise<StoredTopic | undefined> {
    return undefined;
  }

  forget(topic: string): boolean {
    const head = this.#heads.get(topic);
    if (head?.messageIds !== undefined && head.messageIds.prune(this.#nowMs()) > 0) return false;
    this.#heads.delete(topic);
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** What it makes goes behind `run`, to be told with it. */
  #append(
    { fields, publishedMs, acceptedAtMs, ifNewest }: AppendRequest,
    run: StoredPublication[],
  ): AppendOutcome {
    if (this.#closed || this.#feed === undefined)
      return { ok: false, error: new SluiceError('shutting_down') };
    if (ifNewest !== undefined && !this.#isNewest(fields, ifNewest))
      return { ok: false, error: new SluiceError('not_found') };
    const head = this.#head(fields.topic);
    const seenBefore = fields.messageId === undefined ? undefined : this.#repeat(head, fields);
    if (seenBefore !== undefined) return seenBefore;
    const publication = new StoredPublication(fields, head.offset + 1, publishedMs, acceptedAtMs);
    head.offset = publication.offset;
    if (publication.ttlMs === undefined) head.expiring?.delete(fields.key ?? '');
    else head.expiring?.set(fields.key ?? '', publication.offset);
    run.push(publication);
    return { ok: true, epoch: head.epoch, offset: publication.offset, duplicate: false };
  }

  /** Publications of one topic that follow each other are fed together. */
  #tell(run: readonly StoredPublication[], epoch: string): void {
    const [first] = run;
    if (first !== undefined) this.#feed?.appended(first.topic, epoch, run);
  }

  #isNewest({ topic, key }: AppendRequest['fields'], { epoch, offset }: Position): boolean {
    const head = this.#heads.get(topic);
    return head?.epoch === epoch && head.expiring?.get(key ?? '') === offset;
  }

  #head(topic: string): Head {
    let head = this.#heads.get(topic);
    if (head === undefined) {
      head = {
        epoch: randomBytes(6).toString('base64url'),
        offset: 0,
        messageIds: undefined,
        expiring: this.#isState(topic) ? new Map() : undefined,
      };
      this.#heads.set(topic, head);
    }
    return head;
  }

  /** The answer to a message id that was seen before; remembers it when it wasn't. */
  #repeat(head: Head, fields: AppendRequest['fields']): AppendOutcome | undefined {
    const messageId = fields.messageId as string;
    const digest = publicationDigest(fields);
    const nowMs = this.#nowMs();
    head.messageIds ??= new MessageIds();
    const seen = head.messageIds.get(messageId, nowMs);
    if (seen === undefined) {
      head.messageIds.add(messageId, { offset: head.offset + 1, digest, atMs: nowMs });
      return undefined;
    }
    if (seen.digest !== digest) return { ok: false, error: new SluiceError('message_id_conflict') };
    return { ok: true, epoch: head.epoch, offset: seen.offset, duplicate: true };
  }
}
