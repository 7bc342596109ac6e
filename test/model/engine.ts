import { randomUUID } from 'node:crypto';
import { whenDone } from '../../src/awaitable.ts';
import { ReplicaEngine } from '../../src/engines/replica/engine.ts';
import { SluiceError } from '../../src/errors.ts';
import { keptFrom } from '../../src/protocol/publication.ts';
import type {
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  Numbering,
  StoredTopic,
} from '../../src/topics/engine.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import type { LogNode } from './shared-log.ts';

interface Waiting {
  readonly request: AppendRequest;
  /** The call that it is of. */
  readonly call: readonly AppendRequest[];
  readonly answer: (outcome: AppendOutcome) => void;
}

/** A topic's numbering since it was reset: what the inner engine says, by another name and further on. */
interface Renumbering {
  readonly epoch: string;
  readonly base: number;
  /** See `Numbering`: until the reset the topic had another one. */
  readonly bornAfterSeq: number;
}

/** An engine that does its work when it is told to. */
export interface ModelEngine extends Engine {
  /** Appends wait for `commit`. */
  isSlow: boolean;
  /** How many appends fail. */
  failures: number;
  /** Commits, or fails, what waits the longest; there may be several such. */
  commit(pick: number): void;
  commitAll(): void;
  /** Behaves as if it had gone back in time. */
  reset(topic: string, base: number): void;
}

/** The engine of a node that shares a log with others. */
export class NodeEngine extends ReplicaEngine implements ModelEngine {
  readonly node: LogNode;

  constructor(node: LogNode, nowMs: () => number) {
    super({ upstream: node, nowMs });
    this.node = node;
  }

  get isSlow(): boolean {
    return this.node.isSlow;
  }

  set isSlow(isSlow: boolean) {
    this.node.isSlow = isSlow;
  }

  get failures(): number {
    return this.node.failures;
  }

  set failures(count: number) {
    this.node.failures = count;
  }

  commit(): void {
    this.node.commitOne();
  }

  commitAll(): void {
    this.node.commitAll();
  }

  reset(): void {}
}

/**
 * An engine around another that commits when it is told to: topics in any order, one topic's appends in theirs. It
 * can fail and start topics anew.
 */
export class ScriptedEngine implements ModelEngine {
  readonly name = 'scripted';
  readonly retains = false;
  /** Appends wait for `commit`. */
  isSlow = false;
  /** How many appends fail. */
  failures = 0;
  /** How many are refused after them, as those of a publisher with too many messageIds. */
  refusals = 0;
  readonly #inner: Engine;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #renumbered = new Map<string, Renumbering>();
  /** By topic, as the inner engine says it. */
  readonly #innerEpochs = new Map<string, string>();
  readonly #innerNewest = new Map<string, Pick<StoredPublication, 'offset' | 'seq'>>();
  readonly #tell: EngineFeed['appended'];
  #feed: EngineFeed | undefined;
  #resets = 0;

  /** `committed` is told of everything before the gateway is. */
  constructor(inner: Engine, committed: EngineFeed['appended']) {
    this.#inner = inner;
    this.#tell = committed;
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  get messageIdBytes(): number {
    return this.#inner.messageIdBytes;
  }

  get epoch(): string {
    return `${this.#inner.epoch}-${this.#resets}`;
  }

  get seq(): number {
    return this.#inner.seq;
  }

  get forgottenSeq(): number {
    return this.#inner.forgottenSeq;
  }

  async open(feed: EngineFeed): Promise<void> {
    this.#feed = feed;
    await this.#inner.open({
      appended: (topic, epoch, publications) => {
        // The inner engine had forgotten it.
        if (this.#innerEpochs.get(topic) !== epoch) this.#renumbered.delete(topic);
        this.#innerEpochs.set(topic, epoch);
        const newest = publications.at(-1);
        if (newest !== undefined) this.#innerNewest.set(topic, newest);
        const { base = 0, epoch: name = epoch } = this.#renumbered.get(topic) ?? {};
        const renumbered = base === 0 ? publications : publications.map((each) => shifted(each, base));
        this.#tell(topic, name, renumbered);
        feed.appended(topic, name, renumbered);
      },
      reset: (topic, epoch, offset) => feed.reset(topic, epoch, offset),
      missed: (commits) => feed.missed?.(commits),
      degraded: (cause) => feed.degraded(cause),
    });
  }

  async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const answers = requests.map(
      (request) =>
        new Promise<AppendOutcome>((answer) => {
          const waiting = this.#waiting.get(request.fields.topic) ?? [];
          waiting.push({ request, call: requests, answer });
          this.#waiting.set(request.fields.topic, waiting);
        }),
    );
    if (!this.isSlow) this.commitAll();
    return Promise.all(answers);
  }

  /** Commits, or fails, the oldest append of one of the topics that wait. */
  commit(pick: number): void {
    const topics = [...this.#waiting.keys()];
    const topic = topics[pick % topics.length];
    if (topic === undefined) return;
    const waiting = this.#waiting.get(topic) as Waiting[];
    const { request, call, answer } = waiting.shift() as Waiting;
    const error = this.#fault();
    if (error !== undefined) {
      // With the first of a call fail all after it.
      const failed = waiting.filter((each) => each.call === call);
      const left = waiting.filter((each) => each.call !== call);
      for (const fail of [answer, ...failed.map((each) => each.answer)]) fail({ ok: false, error });
      if (left.length === 0) this.#waiting.delete(topic);
      else this.#waiting.set(topic, left);
      return;
    }
    if (waiting.length === 0) this.#waiting.delete(topic);
    void whenDone(this.#inner.append([this.#toInner(request)]), ([outcome]) => {
      const { base = 0, epoch } = this.#renumbered.get(topic) ?? {};
      if (!outcome?.ok) answer(outcome as AppendOutcome);
      // A duplicate of what was published before the reset is at no offset of the numbering since then.
      else answer({ ...outcome, epoch: epoch ?? outcome.epoch, offset: Math.max(0, outcome.offset + base) });
    });
  }

  #fault(): SluiceError | undefined {
    if (this.failures > 0) {
      this.failures--;
      return new SluiceError('engine_unavailable');
    }
    if (this.refusals === 0) return undefined;
    this.refusals--;
    return new SluiceError('rate_limited', undefined, { retryAfterMs: 20 });
  }

  /** An expiry says which value it means in the numbering that the gateway knows. */
  #toInner(request: AppendRequest): AppendRequest {
    const { fields, ifNewest } = request;
    if (ifNewest === undefined) return request;
    const inner = this.#innerEpochs.get(fields.topic) ?? '';
    const { base, epoch } = this.#renumbered.get(fields.topic) ?? { base: 0, epoch: inner };
    const isMeant = ifNewest.epoch === epoch;
    return { ...request, ifNewest: { epoch: isMeant ? inner : '', offset: ifNewest.offset - base } };
  }

  commitAll(): void {
    while (this.isWaiting) this.commit(0);
  }

  /** Behaves as if it had gone back in time. */
  reset(topic: string, base: number): void {
    const epoch = randomUUID();
    this.#resets++;
    const { offset, seq } = this.#innerNewest.get(topic) ?? { offset: 0, seq: 0 };
    this.#renumbered.set(topic, { epoch, base: base - offset, bornAfterSeq: seq });
    this.#feed?.reset(topic, epoch, base);
  }

  async load(): Promise<StoredTopic | undefined> {
    return undefined;
  }

  forget(topic: string): boolean {
    return !this.#waiting.has(topic) && this.#inner.forget(topic);
  }

  numbering(topic: string): Numbering | undefined {
    const inner = this.#inner.numbering(topic);
    return inner && this.#toOuter(topic, inner);
  }

  *numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    for (const [topic, inner] of this.#inner.numberings(afterSeq)) yield [topic, this.#toOuter(topic, inner)];
  }

  #toOuter(topic: string, inner: Numbering): Numbering {
    const { base, epoch, bornAfterSeq } = this.#renumbered.get(topic) ?? { base: 0, ...inner };
    return { ...inner, epoch, bornAfterSeq, offset: inner.offset + base };
  }

  get acknowledged(): Engine['acknowledged'] {
    return this.#inner.acknowledged;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

function shifted(publication: StoredPublication, base: number): StoredPublication {
  const { topic, offset, seq, publishedAtMs, acceptedAtMs } = publication;
  return new StoredPublication(
    keptFrom(topic, publication, publication),
    offset + base,
    seq,
    publishedAtMs,
    acceptedAtMs,
  );
}
