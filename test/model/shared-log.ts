import { randomUUID } from 'node:crypto';
import type {
  Batch,
  BatchReply,
  Change,
  Forget,
  Picture,
  Upstream,
  UpstreamHead,
  UpstreamListener,
} from '../../src/engines/replica/upstream.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Position } from '../../src/protocol/frames.ts';
import type { AppendOutcome, AppendRequest, EngineFeed, StoredTopic } from '../../src/topics/engine.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import { promises } from './loop.ts';

export interface SharedLogOptions {
  readonly nowMs: () => number;
  readonly isState: (topic: string) => boolean;
  /** Publications of a topic that are kept. */
  readonly keptMax: number;
  readonly numberingsMax: number;
  /** Told of each commit before any node is. */
  readonly committed: EngineFeed['appended'];
}

interface LogTopic {
  readonly epoch: string;
  readonly bornAfterSeq: number;
  offset: number;
  seq: number;
  idleAtSeq: number | undefined;
  evictedSeq: number;
  kept: Commit[];
  readonly values: Map<string, Commit>;
}

/** A publication, which each node makes its own of. */
interface Commit {
  readonly request: AppendRequest;
  readonly offset: number;
  readonly seq: number;
}

type ChangeFor = (node: LogNode) => Change;

/** An upstream as its contract says it, in the simplest way. It outlives the nodes. */
export class SharedLog {
  #epoch = randomUUID();
  readonly #options: SharedLogOptions;
  /** Those without content in the order in which they lost it. */
  readonly #topics = new Map<string, LogTopic>();
  /** By topic and id: for longer than an upstream has to know them. */
  readonly #byMessageId = new Map<string, Position>();
  readonly changes: ChangeFor[] = [];
  readonly nodes = new Set<LogNode>();
  #seq = 0;
  #forgottenSeq = 0;

  constructor(options: SharedLogOptions) {
    this.#options = options;
  }

  get newest(): Pick<BatchReply, 'epoch' | 'seq'> {
    return { epoch: this.#epoch, seq: this.#seq };
  }

  /** It loses all that it has. Nodes that are behind notice it when they hear or commit. */
  empty(): void {
    this.#epoch = randomUUID();
    this.#seq = 0;
    this.#forgottenSeq = 0;
    this.#topics.clear();
    this.#byMessageId.clear();
    this.changes.length = 0;
    for (const node of this.nodes) node.lost();
  }

  /** A node joins that has heard of this commit: no node's numbers go back. */
  joined(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  picture(): Picture {
    const heads = new Map<string, UpstreamHead>();
    for (const [topic, { epoch, offset, seq, bornAfterSeq, idleAtSeq }] of this.#topics)
      heads.set(topic, { epoch, offset, seq, bornAfterSeq, idleAtSeq, idsUntilMs: 0 });
    return { ...this.newest, forgottenSeq: this.#forgottenSeq, heads, acknowledged: [] };
  }

  load(topic: string): StoredTopic | undefined {
    const known = this.#topics.get(topic);
    if (known === undefined || known.idleAtSeq !== undefined) return undefined;
    const { epoch, offset, seq, bornAfterSeq, evictedSeq, kept, values } = known;
    const publications = kept.map((each) => publicationOf(each));
    const state = [...values.values()].map((each) => publicationOf(each));
    return { epoch, offset, seq, bornAfterSeq, evictedSeq, publications, state };
  }

  commit(node: LogNode, { forgets, requests }: Batch): BatchReply {
    for (const each of forgets) this.#forget(each);
    this.#drop();
    const outcomes = requests.map(({ request }) => this.#append(node, request));
    for (const each of this.nodes) each.changed();
    return { ...this.newest, outcomes };
  }

  #append(by: LogNode, request: AppendRequest): AppendOutcome {
    const { fields, ifNewest, publishedAtMs } = request;
    const { topic: name, key = '', removed, messageId } = fields;
    const known = this.#topics.get(name);
    if (ifNewest !== undefined) {
      const value = known?.idleAtSeq === undefined ? known?.values.get(key) : undefined;
      if (known?.epoch !== ifNewest.epoch || value?.offset !== ifNewest.offset)
        return { ok: false, error: new SluiceError('not_found') };
    }
    const before = messageId === undefined ? undefined : this.#byMessageId.get(`${name} ${messageId}`);
    if (before !== undefined) return { ok: true, ...before, duplicate: true };
    const topic = known ?? this.#begin(name);
    topic.idleAtSeq = undefined;
    const commit: Commit = { request, offset: ++topic.offset, seq: ++this.#seq };
    topic.seq = commit.seq;
    topic.kept.push(commit);
    if (topic.kept.length > this.#options.keptMax) topic.evictedSeq = topic.kept.shift()?.seq ?? 0;
    if (this.#options.isState(name)) {
      if (removed === true) topic.values.delete(key);
      else topic.values.set(key, commit);
    }
    const { epoch } = topic;
    if (messageId !== undefined)
      this.#byMessageId.set(`${name} ${messageId}`, { epoch, offset: commit.offset });
    this.#options.committed(name, epoch, [publicationOf(commit)]);
    this.changes.push((node) => ({
      kind: 'appended',
      epoch,
      publication: publicationOf(commit, publishedAtMs),
      isOwn: node === by,
      idsUntilMs: 0,
    }));
    return { ok: true, epoch, offset: commit.offset, duplicate: false };
  }

  #begin(name: string): LogTopic {
    const topic = {
      epoch: randomUUID(),
      bornAfterSeq: this.#forgottenSeq,
      offset: 0,
      seq: 0,
      idleAtSeq: undefined,
      evictedSeq: 0,
      kept: [],
      values: new Map(),
    };
    this.#topics.set(name, topic);
    return topic;
  }

  #forget({ topic: name, position }: Forget): void {
    const topic = this.#topics.get(name);
    if (topic === undefined || topic.idleAtSeq !== undefined) return;
    if (topic.epoch !== position.epoch || topic.offset !== position.offset) return;
    topic.idleAtSeq = this.#seq;
    topic.evictedSeq = topic.seq;
    topic.kept = [];
    topic.values.clear();
    this.#topics.delete(name);
    this.#topics.set(name, topic);
  }

  #drop(): void {
    const idle = [...this.#topics].filter(([, { idleAtSeq }]) => idleAtSeq !== undefined);
    const surplus = idle.slice(0, Math.max(0, idle.length - this.#options.numberingsMax));
    if (surplus.length === 0) return;
    for (const [name, { seq }] of surplus) {
      this.#topics.delete(name);
      this.#forgottenSeq = Math.max(this.#forgottenSeq, seq);
    }
    const forgottenSeq = this.#forgottenSeq;
    const topics = surplus.map(([name]) => name);
    this.changes.push(() => ({ kind: 'dropped', topics, forgottenSeq }));
  }
}

function publicationOf({ request, offset, seq }: Commit, acceptedAtMs = 0): StoredPublication {
  const { fields, publishedAtMs, timestampMs } = request;
  return new StoredPublication(fields, offset, seq, publishedAtMs, acceptedAtMs, timestampMs);
}

interface Waiting {
  readonly batch: Batch;
  readonly answer: (answer: BatchReply) => void;
  readonly fail: (cause: Error) => void;
}

/** The log as one node is connected to it. */
export class LogNode implements Upstream {
  readonly name = 'log';
  readonly #log: SharedLog;
  #listener: UpstreamListener | undefined;
  #heard = 0;
  /** The newest commit that it has heard of. */
  #seq = 0;
  /** The log has lost what this node has heard. */
  #isStale = false;
  #waiting: Waiting[] = [];
  #isTelling = false;
  #isAway = false;
  /** Batches wait for `commit`. */
  isSlow = false;
  /** How many batches fail. */
  failures = 0;
  /** It hears of nothing until `hear`. */
  isBehind = false;

  constructor(log: SharedLog) {
    this.#log = log;
  }

  async open(listener: UpstreamListener): Promise<void> {
    this.#listener = listener;
    this.#log.nodes.add(this);
    await this.#show();
  }

  commit(batch: Batch): Promise<BatchReply> {
    return new Promise((answer, fail) => {
      if (this.#listener === undefined || this.#isAway || this.#isStale) {
        fail(new Error('away'));
        if (this.#isStale) void this.hear(0);
        return;
      }
      this.#waiting.push({ batch, answer, fail });
      if (!this.isSlow) this.commitAll();
    });
  }

  commitAll(): void {
    while (this.#waiting.length > 0) this.commitOne();
  }

  commitOne(): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    if (this.failures > 0) {
      this.failures--;
      waiting.fail(new Error('failed'));
      return;
    }
    waiting.answer(this.#log.commit(this, waiting.batch));
  }

  async newest(): Promise<Pick<BatchReply, 'epoch' | 'seq'>> {
    return this.#log.newest;
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    return this.#log.load(topic);
  }

  /** There is something to hear. */
  changed(): void {
    if (!this.isBehind) void this.hear(Number.POSITIVE_INFINITY);
  }

  /** Hears of the next `count` changes, in a later turn of promises. */
  async hear(count: number): Promise<void> {
    await Promise.resolve();
    if (this.#isAway || this.#isTelling) return;
    if (this.#isStale) {
      this.away();
      await this.back();
      return;
    }
    const upto = Math.min(this.#heard + count, this.#log.changes.length);
    const changes = this.#log.changes.slice(this.#heard, upto).map((change) => change(this));
    this.#heard = upto;
    for (const change of changes) if (change.kind === 'appended') this.#seq = change.publication.seq;
    if (changes.length > 0) this.#listener?.changes(changes);
  }

  /** The connection breaks: what waits fails, and nothing is heard. */
  away(): void {
    if (this.#isAway || this.#isTelling) return;
    this.#isAway = true;
    for (const { fail } of this.#waiting.splice(0)) fail(new Error('away'));
    this.#listener?.degraded(new Error('away'));
  }

  /** The log has lost everything: what waits fails. */
  lost(): void {
    this.#isStale = true;
    for (const { fail } of this.#waiting.splice(0)) fail(new Error('lost'));
    this.changed();
  }

  /** It has missed some, and is shown all there is. */
  async back(): Promise<void> {
    if (!this.#isAway || this.#isTelling) return;
    await this.#show();
    this.#isAway = false;
    this.#listener?.degraded(undefined);
    await this.hear(Number.POSITIVE_INFINITY);
  }

  /** Hears of everything from now on. */
  async recover(): Promise<void> {
    this.isBehind = false;
    await this.back();
    await this.hear(Number.POSITIVE_INFINITY);
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    this.#log.nodes.delete(this);
    this.#waiting = [];
  }

  async #show(): Promise<void> {
    this.#isTelling = true;
    this.#isStale = false;
    this.#log.joined(this.#seq);
    const picture = this.#log.picture();
    this.#heard = this.#log.changes.length;
    this.#seq = picture.seq;
    await this.#listener?.picture(picture);
    this.#isTelling = false;
    await promises();
    this.changed();
  }
}
