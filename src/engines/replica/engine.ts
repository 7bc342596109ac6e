import { setTimeout as after } from 'node:timers/promises';
import { steadyNowMs } from '../../clock.ts';
import { SluiceError } from '../../errors.ts';
import { Acknowledged, type AcknowledgedLimits } from '../../topics/acknowledged.ts';
import type {
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  NodeBus,
  NodeCounts,
  Numbering,
  StoredTopic,
} from '../../topics/engine.ts';
import { MessageIdBudget, type MessageIdLimits } from '../../topics/message-id-budget.ts';
import { AppendQueue, failed, type QueuedAppend } from '../append-queue.ts';
import { ChargedIds } from './charged-ids.ts';
import { HeardCommits } from './heard.ts';
import { Replica } from './replica.ts';
import { Unsent } from './unsent.ts';
import type { BatchReply, Change, Picture, Upstream } from './upstream.ts';

/** Maximum publications per batch, so that other nodes and the event loop get their turn. */
const requestsPerBatch = 500;
/** Maximum batches under way. Further ones would wait in the upstream, where they can't be merged. */
const batchesAtOnce = 8;
/** Acknowledged positions are sent with the next batch, or after this time without one. */
const acknowledgeWithinMs = 1000;
/** A feed that has not caught up after this time lags for another reason. */
const hearWithinMs = 2000;

export interface ReplicaOptions {
  readonly upstream: Upstream;
  /** Limits the message ids of this node's publishers. */
  readonly messageIds?: MessageIdLimits | undefined;
  readonly acknowledged?: AcknowledgedLimits | undefined;
  /** Milliseconds since 1970 on a clock that does not jump. */
  readonly nowMs?: (() => number) | undefined;
}

/**
 * One node's part of an engine that several nodes share. The upstream numbers and stores. This keeps what the node must
 * know at once, sends requests in batches, and returns their outcomes when its feed has heard of the commits.
 */
export class ReplicaEngine implements Engine {
  readonly name: string;
  readonly retains = true;
  readonly acknowledged: Acknowledged;
  readonly #upstream: Upstream;
  readonly nowMs: () => number;
  readonly #queue = new AppendQueue();
  readonly #unsent = new Unsent();
  readonly #heard = new HeardCommits();
  readonly #budget: MessageIdBudget;
  readonly #ids: ChargedIds;
  /** Requests that failed though they were committed, see `Heard.giveUp`. */
  readonly #committed = new WeakMap<AppendRequest, UnheardOutcome>();
  #hasCommitted = false;
  #feed: EngineFeed | undefined;
  #replica: Replica | undefined;
  #underWay = 0;
  #isAway = false;
  #turn: NodeJS.Immediate | undefined;
  #acknowledging: NodeJS.Timeout | undefined;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor({ upstream, messageIds, acknowledged, nowMs }: ReplicaOptions) {
    this.name = upstream.name;
    this.#upstream = upstream;
    this.nowMs = nowMs ?? upstream.nowMs?.bind(upstream) ?? steadyNowMs;
    this.acknowledged = new Acknowledged(acknowledged, {
      noted: (topic, user, position) => this.#unsent.acknowledge({ topic, user, position }),
      dropped: (topic, user) => this.#unsent.unacknowledge(topic, user),
    });
    this.#budget = new MessageIdBudget(messageIds);
    this.#ids = new ChargedIds(this.#budget);
  }

  async open(feed: EngineFeed, signal?: AbortSignal): Promise<void> {
    const replica = new Replica(feed);
    // The first changes may come before `open` resolves.
    this.#replica = replica;
    const listener = {
      picture: (picture: Picture) => this.#take(replica, picture),
      changes: (changes: readonly Change[]) => this.#apply(replica, changes),
      degraded: (cause: Error | undefined) => {
        this.#isAway = cause !== undefined;
        feed.degraded(cause);
        if (cause !== undefined) this.#heard.giveUp(cause);
        this.#send();
      },
    };
    await this.#upstream.open(listener, signal);
    this.#feed = feed;
    this.#acknowledging = setInterval(() => {
      this.#unsent.again();
      this.#send();
    }, acknowledgeWithinMs);
    this.#acknowledging.unref();
  }

  get bus(): NodeBus | undefined {
    return this.#upstream.bus;
  }

  get counts(): NodeCounts | undefined {
    return this.#upstream.counts;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  get epoch(): string {
    return this.#replica?.epoch ?? '';
  }

  get seq(): number {
    return this.#replica?.seq ?? 0;
  }

  get forgottenSeq(): number {
    return this.#replica?.forgottenSeq ?? 0;
  }

  get messageIdBytes(): number {
    return this.#budget.bytesAt(this.nowMs());
  }

  append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (this.#feed === undefined || this.#closing !== undefined)
      return Promise.resolve(requests.map(() => failed(new SluiceError('shutting_down'))));
    const outcomes = this.#queue.add(requests);
    // All requests of this turn share a batch.
    if (requests.length > 0) this.#turn ??= setImmediate(() => this.#send());
    return outcomes;
  }

  names(): Iterable<string> {
    return this.#replica?.heads.names() ?? [];
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    if (this.#replica === undefined) throw new SluiceError('engine_unavailable');
    return this.#replica.load(topic, (name) => this.#upstream.load(name));
  }

  async reopened(cause: Error, signal?: AbortSignal): Promise<void> {
    if (this.#upstream.reopened === undefined) throw cause;
    await this.#upstream.reopened(cause, signal);
  }

  async hearNewest(): Promise<boolean> {
    if (this.#isAway) return false;
    const late = after(hearWithinMs, false, { ref: false });
    const hearing = this.#upstream.newest().then(async (newest) => {
      await this.#heard.of(newest);
      return true;
    });
    return Promise.race([late, hearing]).catch(() => false);
  }

  forget(topic: string): boolean {
    const replica = this.#replica;
    if (replica === undefined || this.#closing !== undefined || this.#queue.has(topic)) return false;
    const head = replica.heads.get(topic);
    if (head === undefined) return true;
    if (head.idsUntilMs > this.nowMs() || replica.isLoading(topic)) return false;
    replica.forget(topic);
    if (!head.isDropped) {
      const { epoch, offset } = head;
      this.#unsent.forget({ topic, position: { epoch, offset } });
      this.#turn ??= setImmediate(() => this.#send());
    }
    return true;
  }

  numbering(topic: string): Numbering | undefined {
    return this.#replica?.heads.numbering(topic);
  }

  numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    return this.#replica?.heads.numberings(afterSeq) ?? [];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // ---- private

  async #close(): Promise<void> {
    clearInterval(this.#acknowledging);
    if (this.#feed !== undefined) {
      this.#send();
      while (this.#underWay > 0 || this.#queue.count > 0)
        await new Promise<void>((resolve) => {
          this.#idle = resolve;
        });
    }
    clearImmediate(this.#turn);
    await this.#upstream.close();
  }

  async #take(replica: Replica, picture: Picture): Promise<void> {
    await replica.take(picture, (topic) => this.#upstream.load(topic));
    for (const { topic, user, position } of picture.acknowledged)
      this.acknowledged.learn(topic, user, position);
    this.#heard.picture({ ...picture, seq: replica.seq });
  }

  #apply(replica: Replica, changes: readonly Change[]): void {
    try {
      replica.apply(changes);
    } finally {
      for (const change of changes) if (change.kind === 'acknowledged') this.#hearAcknowledged(change);
      this.#heard.upTo(replica.seq);
    }
  }

  #hearAcknowledged({ acknowledged }: Extract<Change, { kind: 'acknowledged' }>): void {
    for (const { topic, user, position } of acknowledged) this.acknowledged.learn(topic, user, position);
  }

  /** Sends everything that waits, as long as more batches may be under way. */
  #send(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    if (this.#isAway) this.#refuse();
    while (this.#underWay < batchesAtOnce && this.#hasWork) {
      const queued = this.#withoutCommitted(this.#queue.take(requestsPerBatch));
      if (queued.length === 0 && !this.#unsent.has) continue;
      void this.#track(this.#commit(queued));
    }
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#underWay++;
    try {
      await work;
    } finally {
      this.#underWay--;
      this.#idle?.();
      this.#send();
    }
  }

  /**
   * Those that are committed already, and had failed because the feed had not heard of them, wait for the feed again.
   */
  #withoutCommitted(queued: readonly QueuedAppend[]): readonly QueuedAppend[] {
    if (!this.#hasCommitted) return queued;
    const committed = queued.filter(({ request }) => this.#committed.has(request));
    for (const each of committed) {
      const commit = this.#committed.get(each.request) as UnheardOutcome;
      void this.#track(this.#hear([each], { ...commit, outcomes: [commit.outcome] }));
    }
    return queued.filter(({ request }) => !this.#committed.has(request));
  }

  get #hasWork(): boolean {
    return this.#queue.count > 0 || (this.#unsent.has && !this.#isAway && this.#feed !== undefined);
  }

  /** Fails waiting publishes at once. Acknowledged positions and topics to forget wait. */
  #refuse(): void {
    this.#fail(this.#queue.take(Number.POSITIVE_INFINITY), undefined);
    this.#idle?.();
  }

  async #commit(queued: readonly QueuedAppend[]): Promise<void> {
    const { requests, settle } = this.#ids.charge(queued, this.nowMs());
    const { forgets, acknowledged, unacknowledged } = this.#unsent.take();
    const batch = { forgets, requests, acknowledged, unacknowledged };
    let reply: BatchReply;
    try {
      reply = await this.#upstream.commit(batch);
    } catch (cause) {
      this.#unsent.putBack(batch);
      settle([]);
      this.#fail(queued, cause);
      return;
    }
    settle(reply.outcomes);
    await this.#hear(queued, reply);
  }

  /** Resolves the requests once the feed has heard of their commits. */
  async #hear(queued: readonly QueuedAppend[], reply: BatchReply): Promise<void> {
    const { epoch, seq, outcomes } = reply;
    try {
      const hearing = this.#heard.of({ epoch, seq });
      if (hearing !== undefined) await hearing;
    } catch (cause) {
      this.#hasCommitted = true;
      const isKept = this.#heard.isKept({ epoch, seq });
      for (const [i, { request }] of queued.entries())
        if (isKept) this.#committed.set(request, { epoch, seq, outcome: outcomes[i] as AppendOutcome });
        else this.#committed.delete(request);
      this.#fail(queued, cause, (i) => isKept && outcomes[i]?.ok === true);
      return;
    }
    this.#queue.settle(queued, (i) => outcomes[i] as AppendOutcome);
  }

  #fail(queued: readonly QueuedAppend[], cause: unknown, isCommitted = (_: number) => false): void {
    const outcome = failed(new SluiceError('engine_unavailable', undefined, { cause }));
    this.#queue.settle(queued, (i) => ({ ...outcome, isCommitted: isCommitted(i) }));
  }
}

/** The outcome of a committed request that the feed has not heard of yet. */
interface UnheardOutcome {
  readonly epoch: string;
  readonly seq: number;
  readonly outcome: AppendOutcome;
}
