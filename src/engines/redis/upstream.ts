import { randomBytes } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import type { StoredTopic } from '../../topics/engine.ts';
import { numberingsKept } from '../../topics/idle-topics.ts';
import { messageIdWindowMs } from '../../topics/message-id-budget.ts';
import type { Batch, BatchReply, Upstream, UpstreamListener, UpstreamRequest } from '../replica/upstream.ts';
import { type EncodedBatch, encodeBatch, readReply } from './batch.ts';
import { RedisBus } from './bus.ts';
import { isPassing } from './causes.ts';
import { connect, databaseOf, isRefusal } from './connection.ts';
import { RedisCounts } from './counts.ts';
import { formats as knownFormats } from './formats.ts';
import { Keys } from './keys.ts';
import { type LinkListener, RedisLink } from './link.ts';
import { type LogEntry, type Reading, readEntries } from './log.ts';
import type { RedisOptions, RedisRetention } from './options.ts';
import { Patience } from './patience.ts';
import { Reconnecting } from './reconnecting.ts';
import { SentBatches } from './sent-batches.ts';
import {
  type Greeting,
  type NodeReport,
  replySlots,
  Server,
  type ServerPicture,
  type TailEntries,
} from './server.ts';
import { SharedClock } from './shared-clock.ts';
import { readStored } from './stored.ts';
import { Warnings } from './warnings.ts';

/** Entries of the log that are kept, about: a node that is away for longer looks at everything anew. */
const logMaxEntries = '10000';
const censusPollMs = 100;
const nodeTimeoutMsDefault = 10_000;

/**
 * Topics in Redis, for all gateways that use the same one. `REDIS.md` says how, and what holds when Redis or a gateway
 * fails.
 */
export class RedisUpstream implements Upstream, LinkListener {
  readonly name = 'redis';
  readonly #options: RedisOptions;
  readonly #keys: Keys;
  readonly nowMs: () => number;
  readonly #node = newId();
  readonly bus = new RedisBus(this.#node, () => {
    const link = this.#link;
    // A failed link is noticed where the log is read.
    return link && ((text) => void link.commits.send(this.#node, text).catch(() => undefined));
  });
  readonly counts = new RedisCounts(this.#node);
  #listener: UpstreamListener | undefined;
  #link: RedisLink | undefined;
  /** The server of a link that is being made. */
  #loading: Server | undefined;
  /** The newest of the log that the listener has had. */
  #heard = { epoch: '', term: '', seq: 0 };
  /** The newest commit that this link has replied to. The listener may not have had it. */
  #repliedSeq = 0;
  readonly #sent = new SentBatches();
  /** Why topics could not be read from Redis. */
  readonly #unread = new WeakSet<Error>();
  /** When a start has lost Redis; undefined: it has read a topic since. */
  #unreadSinceMs: number | undefined;
  readonly #warnings = new Warnings();
  readonly #clock = new SharedClock(this.#warnings);
  readonly #patience: Patience;
  readonly #reconnecting: Reconnecting;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.nowMs = options.nowMs ?? this.#clock.nowMs;
    this.#keys = new Keys(options.prefix, databaseOf(options.server));
    this.#patience = new Patience(options, this.#warnings);
    this.#reconnecting = new Reconnecting(
      { connect: () => this.#join(), failed: (cause) => this.#listener?.degraded(cause) },
      this.#patience,
    );
  }

  async open(listener: UpstreamListener, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#listener = listener;
    await this.#reconnecting.first(signal);
    if (signal?.aborted === true) {
      await this.close();
      throw signal.reason;
    }
  }

  async commit(batch: Batch): Promise<BatchReply> {
    const link = this.#living();
    const requests = this.#sent.undone(batch.requests, link);
    const reply = await this.#ask(link, requests === batch.requests ? batch : { ...batch, requests });
    if (this.#options.minReplicas > 0) await this.#replicate(link, requests, reply);
    return this.#sent.merge(batch.requests, requests, reply);
  }

  async newest(): Promise<Pick<BatchReply, 'epoch' | 'seq'>> {
    return this.#living().commands.newest();
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    const retention = this.#options.retention(topic);
    const reply = await this.#read(topic, retention);
    return reply === null ? undefined : readStored(topic, reply, retention, this.nowMs());
  }

  async reopened(cause: Error, signal?: AbortSignal): Promise<void> {
    if (!this.#unread.has(cause)) throw cause;
    this.#unreadSinceMs ??= performance.now();
    if (isRefusal(cause)) {
      this.#patience.wait(cause, performance.now() - this.#unreadSinceMs);
      this.#link?.lose(cause);
    }
    while (this.#link === undefined) await this.#reconnecting.next(this.#unreadSinceMs, signal);
  }

  async close(): Promise<void> {
    await this.#reconnecting.close();
    const link = this.#link;
    if (link === undefined) return;
    await this.counts.leave().catch(() => undefined);
    await link.commands.goodbye(this.#node).catch(() => undefined);
    this.#ended();
    link.end();
  }

  // ---- commits and loads

  async #read(topic: string, retention: RedisRetention): Promise<unknown> {
    const link = this.#link;
    try {
      const reply = await (this.#loading ?? this.#living().commands).load(topic, retention);
      if (link !== undefined) this.#unreadSinceMs = undefined;
      return reply;
    } catch (error) {
      this.#unread.add(error as Error);
      if (!isRefusal(error)) link?.lose(error as Error);
      throw error;
    }
  }

  #living(): RedisLink {
    if (this.#link === undefined) throw new Error('Redis is away');
    return this.#link;
  }

  async #ask(link: RedisLink, batch: Batch): Promise<BatchReply> {
    const number = this.#sent.add(batch.requests);
    const encoded = this.#encode(link, number, batch);
    let reply: string;
    try {
      reply = await link.commits.commit(encoded);
      this.#sent.replied(number);
    } catch (error) {
      if (isRefusal(error)) this.#sent.replied(number);
      if (!isRefusal(error) || !isPassing(error)) link.lose(error as Error);
      throw error;
    }
    if (reply !== 'stale' && reply !== 'fenced') {
      const results = readReply(reply, batch.requests);
      if (link === this.#link) this.#repliedSeq = results.seq;
      if (results.refused !== undefined) {
        this.#warnings.refused(this.#keys.feed, results.refused);
        link.missed();
      }
      return results;
    }
    const error = new Error(`Redis became another one: ${reply}`);
    link.lose(error);
    throw error;
  }

  #encode(link: RedisLink, number: number, batch: Batch): EncodedBatch {
    const { meta, log, feed, heads, idle, acknowledged, aged } = this.#keys;
    const { keys, args, records } = encodeBatch(batch, this.#keys, this.#options.retention, link.format);
    const { server, numberingsMax = numberingsKept } = this.#options;
    // As unique as a random one.
    const salt = `${this.#node}${number.toString(36)}`;
    const own: (string | number)[] = [
      link.epoch,
      link.term,
      this.#heard.seq,
      String(number),
      String(number % replySlots),
    ];
    own.push(this.nowMs(), messageIdWindowMs, salt, this.#node);
    own.push(
      logMaxEntries,
      numberingsMax,
      server.kind === 'cluster' ? 1 : 0,
      link.commits.pushes ? feed : '',
    );
    return {
      keys: [meta, log, heads, idle, acknowledged, this.#keys.replies(this.#node), aged, ...keys],
      args: own.concat(args),
      records,
    };
  }

  /**
   * Waits until the required number of replicas has it. If they don't, the outcomes are remembered for when the
   * requests come again.
   */
  async #replicate(link: RedisLink, requests: readonly UpstreamRequest[], reply: BatchReply): Promise<void> {
    const { minReplicas, server } = this.#options;
    const have = await link.commits
      .replicas(this.#node, minReplicas, Math.ceil(server.timeoutMs / 2))
      .catch(() => 0);
    if (have >= minReplicas) return;
    this.#sent.keep(requests, reply);
    throw new Error(`${have} of ${minReplicas} replicas have it`);
  }

  // ---- connections

  async #join(): Promise<void> {
    const { server, nodeTimeoutMs = nodeTimeoutMsDefault, formats = knownFormats } = this.#options;
    let link: RedisLink | undefined;
    let isOver = false;
    const ended = () => {
      isOver = true;
      link?.lose(new Error('the connection to Redis ended'));
    };
    const serverOf = async (role: 'commands' | 'tail') =>
      new Server(await connect(server, role, ended), this.#keys, nodeTimeoutMs, formats);
    this.#patience.isReached = false;
    const commands = await serverOf('commands');
    this.#patience.isReached = true;
    let tail: Server | undefined;
    let greeting: Greeting;
    try {
      tail = await serverOf('tail');
      if (tail.pushes) await tail.subscribe();
      greeting = await this.#greet(commands);
      const policy = await commands.evicts();
      if (policy !== undefined) this.#warnings.evicts(policy);
      const newestMessage = await commands.lastMessage();
      await this.counts.joined(commands);
      await this.#settleUnreplied(commands);
      const picture = await commands.picture(this.#heard.term);
      this.#loading = commands;
      await this.#listener?.picture(picture);
      const { epoch, term, seq, former } = picture;
      this.bus.continue(newestMessage, former === undefined);
      this.#heard = { epoch, term, seq };
      this.#repliedSeq = 0;
      if (tail.pushes) await this.#requireSame(tail, picture);
      if (isOver) throw new Error('the connection to Redis ended');
      const { format } = greeting;
      link = new RedisLink({ commands, tail, picture, format, timeoutMs: server.timeoutMs, listener: this });
    } catch (error) {
      this.counts.lost();
      commands.close();
      tail?.close();
      throw error;
    } finally {
      this.#loading = undefined;
    }
    this.#link = link;
    this.#listener?.degraded(undefined);
    this.#guard(() => this.bus.heardOf(greeting.nodes, greeting.wasGone));
    link.start();
  }

  /** Until the server has heard of all nodes that it waits for. */
  async #greet(commands: Server): Promise<Greeting> {
    let living = '';
    for (;;) {
      const greeting = await commands.hello(this.self(), living);
      const { waitsAfter } = greeting;
      this.#clock.learn(greeting.nowMs);
      if (waitsAfter === undefined) return greeting;
      living = (await commands.hasMoved(waitsAfter)) ? waitsAfter : '';
      await after(censusPollMs, undefined, { signal: this.#reconnecting.closing });
    }
  }

  /**
   * An address may be another server's by the time of the second connection, and batches go by that one. A server that
   * has taken over, and was not greeted yet, might take batches before it knows what other nodes have heard.
   */
  async #requireSame(tail: Server, { epoch, term }: ServerPicture): Promise<void> {
    const greeting = await tail.hello(this.self());
    if (greeting.waitsAfter !== undefined || greeting.epoch !== epoch || greeting.term !== term)
      throw new Error('Redis became another one');
  }

  /**
   * Finds out the outcomes of batches whose reply did not come. Those that were not done are fenced, so that they
   * never will be.
   */
  async #settleUnreplied(commands: Server): Promise<void> {
    if (this.#sent.hasUnreplied) this.#sent.settle(await commands.replies(this.#node));
  }

  #ended(): void {
    this.#link = undefined;
    this.counts.lost();
  }

  // ---- LinkListener

  self(): NodeReport {
    const { fence } = this.#sent;
    const seq = Math.max(this.#heard.seq, this.#repliedSeq);
    return { node: this.#node, ...this.#heard, seq, salt: newId(), fence, nowMs: this.#clock.toldMs };
  }

  get lastMessage(): string {
    return this.bus.last;
  }

  read(link: RedisLink, { log, messages }: TailEntries): string {
    const last = log.length > 0 ? this.#hear(link, log) : link.last;
    this.#guard(() => this.bus.read(messages, () => this.#warnings.foreignMessage(this.#keys.messages)));
    return last;
  }

  async greeted({ nodes, wasGone }: Greeting): Promise<void> {
    this.#guard(() => this.bus.heardOf(nodes, wasGone));
    await this.counts.heartbeat();
  }

  lost(link: RedisLink, cause: Error): void {
    if (this.#link === link) this.#ended();
    this.#sent.lost();
    if (this.#reconnecting.closing.aborted) return;
    this.#listener?.degraded(cause);
    this.#reconnecting.again();
  }

  readonly #acceptedAtMs: Reading['acceptedAtMs'] = (node, batch, index) =>
    node === this.#node ? this.#sent.acceptedAtMs(batch, index) : undefined;
  readonly #unknown: Reading['unknown'] = (kind) => this.#warnings.newerGateway(kind);

  #hear({ term, last: from }: RedisLink, entries: readonly LogEntry[]): string {
    const [acceptedAtMs, unknown] = [this.#acceptedAtMs, this.#unknown];
    const { changes, last } = readEntries(entries, { term, last: from, acceptedAtMs, unknown });
    this.#heard = { epoch: this.#heard.epoch, term: this.#heard.term, seq: Number.parseInt(last, 10) };
    this.#guard(() => this.#listener?.changes(changes));
    return last;
  }

  /** A fault of the listener is not one of Redis. */
  #guard(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function newId(): string {
  return randomBytes(6).toString('base64url');
}
