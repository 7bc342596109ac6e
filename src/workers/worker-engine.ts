import { type ErrorCode, SluiceError } from '../errors.ts';
import { Acknowledged, type AcknowledgedLimits } from '../topics/acknowledged.ts';
import type {
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  Numbering,
  NumberingOfCommits,
  StoredTopic,
} from '../topics/engine.ts';
import { IdleTopics } from '../topics/idle-topics.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { EngineCalls, EngineFacts, EngineNews } from './calls.ts';
import type { Handlers, Link } from './link.ts';
import { type PackedTopic, unpackAppended, unpackTopic } from './packed.ts';
import { packRequests, unpackOutcomes } from './packed-appends.ts';

/** Publishes are refused while the parent has not read more bytes of publishes than this. */
const unsentMaxBytes = 64 * 2 ** 20;

/**
 * A topic that the parent holds, or has told as forgotten: then it is dropped once this worker's broker has no content
 * of it either.
 */
interface Head extends Numbering {
  isForgotten: boolean;
}

export interface WorkerEngineOptions {
  readonly link: Pick<Link<EngineNews, EngineCalls>, 'ask' | 'tell' | 'channel'>;
  readonly numberingsMax?: number;
  readonly acknowledged?: AcknowledgedLimits;
}

/**
 * The engine in a worker of a gateway with several processes. The engine itself runs in the parent process, which tells
 * all workers of every commit, in order. So a worker has every topic, and asks the parent for nothing but appends.
 */
export class WorkerEngine implements Engine {
  readonly acknowledged: Acknowledged;
  readonly #options: WorkerEngineOptions;
  readonly #idle: IdleTopics<Numbering>;
  readonly #heads = new Map<string, Head>();
  /** Topics that the broker has not loaded yet. */
  readonly #stored = new Map<string, StoredTopic>();
  /**
   * News for the feed, held until the broker has loaded all topics; undefined: it has, and the feed is told at once.
   */
  #held: (() => void)[] | undefined = [];
  #facts: EngineFacts | undefined;
  #seq = 0;
  #forgottenSeq = 0;
  #feed: EngineFeed | undefined;
  #isAway = false;
  #isClosed = false;
  #underWay = 0;
  #idled: (() => void) | undefined;

  constructor(options: WorkerEngineOptions) {
    this.#options = options;
    this.#idle = new IdleTopics(options.numberingsMax);
    this.acknowledged = new Acknowledged(options.acknowledged, {
      noted: (topic, user, position) => options.link.tell('acknowledge', [topic, user, position]),
    });
  }

  /** Handles what the parent tells. */
  readonly news: Handlers<EngineNews> = {
    topic: ([name, stored]) => this.#store(name, stored),
    appended: (packed) =>
      this.#hear(() => {
        const { topic, epoch, publications } = unpackAppended(packed);
        const { offset, seq } = publications.at(-1) as StoredPublication;
        this.#seq = seq;
        const head = this.#heads.get(topic) ?? this.#idle.get(topic);
        const bornAfterSeq = head?.epoch === epoch ? head.bornAfterSeq : this.#forgottenSeq;
        this.#heads.set(topic, { epoch, offset, seq, bornAfterSeq, isForgotten: false });
        this.#feed?.appended(topic, epoch, publications);
        this.#idle.delete(topic);
      }),
    reset: ([topic, epoch, offset, packed, commonSeq]) =>
      this.#hear(() => {
        const head = this.#heads.get(topic);
        const unpacked = packed && unpackTopic(topic, packed);
        if (unpacked !== undefined) this.#heads.set(topic, { ...numberingOf(unpacked), isForgotten: false });
        else if (epoch === '') this.#heads.delete(topic);
        else if (head !== undefined) this.#heads.set(topic, { ...head, epoch, offset });
        this.#feed?.reset(topic, epoch, offset, unpacked, commonSeq);
        this.#idle.delete(topic);
      }),
    missed: (commits) =>
      this.#hear(() => {
        // First: the cursors of the sessions that end now are of the earlier numbering. Those that come are judged by
        // the new one.
        this.#feed?.missed?.(commits);
        this.#numberedBy(commits);
      }),
    forgotten: ([topic, forgottenSeq]) =>
      this.#hear(() => {
        this.#forgottenSeq = Math.max(this.#forgottenSeq, forgottenSeq);
        const head = this.#heads.get(topic);
        if (head !== undefined) head.isForgotten = true;
      }),
    degraded: ([cause, { epoch, seq, forgottenSeq }]) =>
      this.#hear(() => {
        this.#numberedBy({ epoch, forgottenSeq });
        this.#seq = Math.max(this.#seq, seq);
        this.#degraded(cause);
      }),
    acknowledged: ([topic, user, position]) => void this.acknowledged.learn(topic, user, position),
  };

  get name(): string {
    return this.#facts?.name ?? '';
  }

  /** It takes them in the parent. */
  get topicBytes(): number {
    return this.#facts?.topicBytes ?? 0;
  }

  /** True until the broker has loaded what there was when it opened. After that the feed tells everything. */
  get retains(): boolean {
    return this.#held !== undefined;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  get epoch(): string {
    return this.#facts?.epoch ?? '';
  }

  get seq(): number {
    return this.#seq;
  }

  get forgottenSeq(): number {
    return this.#forgottenSeq;
  }

  async open(feed: EngineFeed, signal?: AbortSignal): Promise<void> {
    this.#feed = feed;
    const facts = await this.#options.link.ask('join', undefined);
    signal?.throwIfAborted();
    this.#facts = facts;
    this.#seq = facts.seq;
    this.#forgottenSeq = facts.forgottenSeq;
    for (const [topic, numbering] of facts.idle)
      if (!this.#heads.has(topic)) this.#idle.add(topic, numbering, facts.seq);
    for (const [topic, user, position] of facts.acknowledged) this.acknowledged.learn(topic, user, position);
    if (facts.degraded !== undefined) this.#degraded(facts.degraded);
    if (this.#stored.size === 0) this.#release();
  }

  names(): Iterable<string> {
    return this.#stored.keys();
  }

  async load(name: string): Promise<StoredTopic | undefined> {
    const stored = this.#stored.get(name);
    // The broker takes it in this turn, before the feed hears what came after it.
    if (this.#stored.delete(name) && this.#stored.size === 0) setImmediate(() => this.#release());
    return stored;
  }

  async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (this.#isClosed || this.#facts === undefined) return requests.map(() => failed('shutting_down'));
    const { link } = this.#options;
    if (link.channel.unsentBytes > unsentMaxBytes) return requests.map(() => failed('engine_unavailable'));
    this.#underWay++;
    try {
      return unpackOutcomes(await link.ask('append', packRequests(requests)));
    } catch {
      return requests.map(() => failed('engine_unavailable'));
    } finally {
      if (--this.#underWay === 0) this.#idled?.();
    }
  }

  forget(topic: string): boolean {
    const head = this.#heads.get(topic);
    if (head === undefined) return true;
    if (!head.isForgotten) return false;
    this.#heads.delete(topic);
    const { isForgotten: _, ...numbering } = head;
    this.#idle.add(topic, numbering, this.#seq);
    for (const { seq } of this.#idle.dropSurplus()) this.#forgottenSeq = Math.max(this.#forgottenSeq, seq);
    return true;
  }

  numbering(topic: string): Numbering | undefined {
    return this.#idle.get(topic);
  }

  numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    return this.#idle.numberings(afterSeq);
  }

  /** They are remembered in the parent. */
  get messageIdBytes(): number {
    return 0;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      this.#idled = resolve;
    });
  }

  #store(name: string, packed: PackedTopic): void {
    this.#heads.set(name, { ...numberingOf(packed), isForgotten: false });
    this.#stored.set(name, unpackTopic(name, packed));
  }

  #numberedBy({ epoch, forgottenSeq }: NumberingOfCommits): void {
    if (this.#facts !== undefined) this.#facts = { ...this.#facts, epoch };
    this.#forgottenSeq = Math.max(this.#forgottenSeq, forgottenSeq);
  }

  #degraded(cause: string | undefined): void {
    this.#isAway = cause !== undefined;
    this.#feed?.degraded(cause === undefined ? undefined : new Error(cause));
  }

  #hear(news: () => void): void {
    if (this.#held === undefined) news();
    else this.#held.push(news);
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const news of held) news();
  }
}

function numberingOf({ epoch, offset, seq, bornAfterSeq }: Numbering): Numbering {
  return { epoch, offset, seq, bornAfterSeq };
}

function failed(code: ErrorCode): AppendOutcome {
  return { ok: false, error: new SluiceError(code) };
}
