import { randomBytes } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { steadyNowMs } from '../../clock.ts';
import type { AppendOutcome, AppendRequest, StoredTopic } from '../../topics/engine.ts';
import {
  type Batch,
  type BatchAnswer,
  isKept,
  type Picture,
  type Upstream,
  type UpstreamListener,
  type UpstreamRequest,
} from '../replica/upstream.ts';
import { encodeBatch, readReply } from './batch.ts';
import { RedisBus } from './bus.ts';
import { connect, isRefusal, placesOf, refusesUser } from './connection.ts';
import { RedisCounts } from './counts.ts';
import { FormatError, formats as knownFormats } from './formats.ts';
import { Keys } from './keys.ts';
import { readEntries } from './log.ts';
import type { RedisOptions } from './options.ts';
import { answerSlots, type Greeting, Server, windowMs } from './server.ts';

/** Entries of the log that are kept, about: a node that is away for longer looks at everything anew. */
const logMaxEntries = 10_000;
/** Entries of one read. */
const readAtOnce = 256;
/** How long a read of the log waits for something to come. */
const blockMs = 1000;
/** How often a node says that it is alive, and hears whether the server still knows it. */
const helloEveryMs = 1000;
const censusPollMs = 100;
/** Between two tries to connect. */
const retryMs = { least: 50, most: 1000 };
/** Batches whose requests are still known when their commits come by the log. */
const recentBatches = 64;
/** How long a gateway that starts tries to connect. */
const openWithinMs = 5000;
const numberingsMaxDefault = 100_000;
const nodeTimeoutMsDefault = 10_000;

/** The outcome of a request whose answer did not come. */
interface Fate {
  readonly epoch: string;
  readonly seq: number;
  readonly outcome: AppendOutcome;
}

/** Both connections to a server, from the moment it knows this node. */
interface Link {
  readonly commands: Server;
  readonly tail: Server;
  readonly epoch: string;
  readonly former: Picture['former'];
  readonly term: string;
  /** Of its data. */
  readonly format: number;
  /** The entry of the log that was read last. */
  last: string;
  isOver: boolean;
}

/**
 * Topics in Redis, for all gateways that use the same one. `REDIS.md` says how, and what holds when Redis or a gateway
 * fails.
 */
export class RedisUpstream implements Upstream {
  readonly name = 'redis';
  readonly #options: RedisOptions;
  readonly #keys: Keys;
  readonly #nowMs: () => number;
  readonly #node = newId();
  readonly bus = new RedisBus(this.#node, () => {
    const link = this.#link;
    // A link that fails is noticed by others, too.
    return link && ((text) => void link.commands.send(this.#node, text).catch(() => undefined));
  });
  readonly counts = new RedisCounts(this.#node);
  #listener: UpstreamListener | undefined;
  #link: Link | undefined;
  /** The newest of the log that the listener has had. */
  #heard = { epoch: '', term: '', seq: 0 };
  #batches = 0;
  readonly #recent = new Map<number, readonly UpstreamRequest[]>();
  /** Batches whose answer did not come. */
  readonly #unanswered = new Map<number, readonly UpstreamRequest[]>();
  readonly #fates = new WeakMap<AppendRequest, Fate>();
  /** Kinds of log entries that newer versions have added. */
  readonly #unknown = new Set<string>();
  readonly #closing = new AbortController();
  #joining: Promise<void> | undefined;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.#keys = new Keys(options.prefix);
    this.#nowMs = options.nowMs ?? steadyNowMs;
  }

  async open(listener: UpstreamListener, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#listener = listener;
    await this.#joinFirst(signal);
    if (signal?.aborted === true) {
      await this.close();
      throw signal.reason;
    }
  }

  async commit(batch: Batch): Promise<BatchAnswer> {
    const link = this.#living();
    const requests = batch.requests.filter(({ request }) => !this.#hasFate(request, link));
    const answer = await this.#ask(link, { ...batch, requests });
    await this.#replicate(link, requests, answer);
    if (requests.length === batch.requests.length) return answer;
    return this.#withFates(batch.requests, requests, answer);
  }

  async newest(): Promise<Pick<BatchAnswer, 'epoch' | 'seq'>> {
    return this.#living().commands.newest();
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    const server = this.#loading ?? this.#living().commands;
    return server.load(topic, this.#options.retention(topic), this.#nowMs());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#joining?.catch(() => undefined);
    const link = this.#link;
    if (link === undefined) return;
    await this.counts.leave().catch(() => undefined);
    await link.commands.goodbye(this.#node).catch(() => undefined);
    this.#end(link);
  }

  // ---- commits

  #living(): Link {
    if (this.#link === undefined) throw new Error('Redis is away');
    return this.#link;
  }

  async #ask(link: Link, batch: Batch): Promise<BatchAnswer> {
    const number = ++this.#batches;
    this.#recent.set(number, batch.requests);
    this.#recent.delete(number - recentBatches);
    const { keys, args } = this.#encode(link, number, batch);
    let reply: string;
    try {
      reply = await link.commands.commit(keys, args);
    } catch (error) {
      if (!isRefusal(error)) this.#unanswered.set(number, batch.requests);
      if (!isRefusal(error) || !isPassing(error)) this.#lose(link, error as Error);
      throw error;
    }
    if (reply !== 'stale' && reply !== 'fenced') return readReply(reply, batch.requests);
    const error = new Error(`Redis became another one: ${reply}`);
    this.#lose(link, error);
    throw error;
  }

  #encode(link: Link, number: number, batch: Batch) {
    const { meta, log, heads, idle, acknowledged } = this.#keys;
    const { keys, args } = encodeBatch(batch, this.#keys, this.#options.retention, link.format);
    const { numberingsMax = numberingsMaxDefault } = this.#options;
    return {
      keys: [meta, log, heads, idle, acknowledged, this.#keys.answers(this.#node), ...keys],
      args: [
        ...[link.epoch, link.term, this.#heard.seq, number, this.#nowMs(), windowMs, newId(), this.#node],
        ...[logMaxEntries, numberingsMax, answerSlots],
        ...args,
      ],
    };
  }

  /**
   * Waits until the required number of replicas has it. If they don't, the outcomes are remembered for when the
   * requests come again.
   */
  async #replicate(link: Link, requests: readonly UpstreamRequest[], answer: BatchAnswer): Promise<void> {
    const { minReplicas, server } = this.#options;
    if (minReplicas === 0) return;
    const have = await link.commands.replicas(minReplicas, Math.ceil(server.timeoutMs / 2)).catch(() => 0);
    if (have >= minReplicas) return;
    this.#remember(requests, answer);
    throw new Error(`${have} of ${minReplicas} replicas have it`);
  }

  #hasFate(request: AppendRequest, link: Link): boolean {
    const fate = this.#fates.get(request);
    if (fate === undefined) return false;
    if (isKept(link, fate)) return true;
    // A request that was lost since has to be done again.
    this.#fates.delete(request);
    return false;
  }

  #withFates(
    all: readonly UpstreamRequest[],
    asked: readonly UpstreamRequest[],
    { epoch, seq, outcomes }: BatchAnswer,
  ): BatchAnswer {
    const answered = new Map(asked.map((request, i) => [request, outcomes[i] as AppendOutcome]));
    let newest = seq;
    const merged = all.map((each) => {
      const fate = this.#fates.get(each.request);
      // A commit of a former numbering was in the picture of this one.
      if (fate?.epoch === epoch) newest = Math.max(newest, fate.seq);
      return answered.get(each) ?? (fate as Fate).outcome;
    });
    return { epoch, seq: newest, outcomes: merged };
  }

  #remember(requests: readonly UpstreamRequest[], { epoch, seq, outcomes }: BatchAnswer): void {
    for (const [i, { request }] of requests.entries())
      this.#fates.set(request, { epoch, seq, outcome: outcomes[i] as AppendOutcome });
  }

  // ---- connections

  /** Of a link that is being made. */
  #loading: Server | undefined;

  /** Redis may be about to start, or to move what is asked for. */
  async #joinFirst(signal: AbortSignal | undefined): Promise<void> {
    const untilMs = performance.now() + openWithinMs;
    for (let delayMs = nextDelay(0); ; delayMs = nextDelay(delayMs)) {
      try {
        await this.#join();
        return;
      } catch (error) {
        signal?.throwIfAborted();
        const cause = error as Error;
        if (isFinal(cause) || performance.now() + delayMs > untilMs)
          throw new Error(`Redis can't be used at ${placesOf(this.#options.server)}: ${cause.message}`, {
            cause,
          });
        await after(delayMs);
      }
    }
  }

  async #join(): Promise<void> {
    const { server, nodeTimeoutMs = nodeTimeoutMsDefault, formats = knownFormats } = this.#options;
    let link: Link | undefined;
    let isOver = false;
    const ended = () => {
      isOver = true;
      if (link !== undefined) this.#lose(link, new Error('the connection to Redis ended'));
    };
    const serverOf = async (role: 'commands' | 'tail') =>
      new Server(await connect(server, role, ended), this.#keys, nodeTimeoutMs, formats);
    const commands = await serverOf('commands');
    let tail: Server | undefined;
    let greeting: Greeting;
    try {
      tail = await serverOf('tail');
      greeting = await this.#greet(commands);
      this.bus.last ??= await commands.lastMessage();
      await this.counts.joined(commands);
      await this.#settleUnanswered(commands);
      const picture = await commands.picture();
      this.#loading = commands;
      await this.#listener?.picture(picture);
      const { epoch, former, term, seq, last } = picture;
      this.#heard = { epoch, term, seq };
      if (isOver) throw new Error('the connection to Redis ended');
      link = { commands, tail, epoch, former, term, format: greeting.format, last, isOver: false };
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
    this.#guard(() => this.bus.heardOf(greeting.nodes));
    void this.#follow(link);
    void this.#keepGreeting(link);
  }

  /** Until the server has heard of all nodes that it waits for. */
  async #greet(commands: Server): Promise<Greeting> {
    for (;;) {
      const greeting = await commands.hello(this.#self());
      if (!greeting.isWaiting) return greeting;
      await after(censusPollMs, undefined, { signal: this.#closing.signal });
    }
  }

  #self() {
    const fence = this.#unanswered.size === 0 ? 0 : this.#batches;
    return { node: this.#node, ...this.#heard, salt: newId(), fence };
  }

  /**
   * Finds out the outcomes of batches whose answer did not come. Those that were not done are fenced, so that they
   * never will be.
   */
  async #settleUnanswered(commands: Server): Promise<void> {
    if (this.#unanswered.size === 0) return;
    const answers = await commands.answers(this.#node);
    for (const [number, requests] of this.#unanswered) {
      const answer = answers.get(number);
      if (answer !== undefined) this.#remember(requests, readReply(answer, requests));
    }
    this.#unanswered.clear();
  }

  #lose(link: Link, cause: Error): void {
    if (link.isOver) return;
    this.#end(link);
    if (this.#closing.signal.aborted) return;
    this.#listener?.degraded(cause);
    this.#joining ??= this.#rejoin().finally(() => {
      this.#joining = undefined;
    });
  }

  #end(link: Link): void {
    link.isOver = true;
    if (this.#link === link) this.#link = undefined;
    this.counts.lost();
    link.commands.close();
    link.tail.close();
  }

  async #rejoin(): Promise<void> {
    for (let delayMs = 0; !this.#closing.signal.aborted; delayMs = nextDelay(delayMs)) {
      try {
        await after(delayMs, undefined, { signal: this.#closing.signal });
        await this.#join();
        return;
      } catch (error) {
        if (!this.#closing.signal.aborted) this.#listener?.degraded(error as Error);
      }
    }
  }

  async #keepGreeting(link: Link): Promise<void> {
    let silentAt = '';
    while (!link.isOver) {
      await after(helloEveryMs, undefined, { ref: false });
      if (link.isOver) return;
      try {
        const before = link.last;
        const { epoch, term, last, isWaiting, nodes } = await link.commands.hello(this.#self());
        if (isWaiting || epoch !== link.epoch || term !== link.term)
          throw new Error('Redis became another one');
        // Commands work: so should the log.
        if (last !== link.last && link.last === before && silentAt === before)
          throw new Error('the log of Redis is silent');
        this.#guard(() => this.bus.heardOf(nodes));
        await this.counts.heartbeat();
        silentAt = last === link.last ? '' : link.last;
      } catch (error) {
        this.#lose(link, error as Error);
      }
    }
  }

  /** Reads the log until the link is over. */
  async #follow(link: Link): Promise<void> {
    while (!link.isOver) {
      try {
        const read = await withinMs(
          link.tail.read(link.last, this.bus.last ?? '0-0', readAtOnce, blockMs),
          blockMs + this.#options.server.timeoutMs,
        );
        if (link.isOver) return;
        if (read.log.length > 0) this.#hear(link, read.log);
        this.#guard(() => this.bus.read(read.messages));
      } catch (error) {
        this.#lose(link, error as Error);
      }
    }
  }

  #hear(link: Link, entries: readonly unknown[]): void {
    const { changes, last } = readEntries(entries, {
      ...{ term: link.term, last: link.last, windowMs },
      acceptedAtMs: (node, batch, index) => {
        if (node !== this.#node) return undefined;
        return this.#recent.get(batch)?.[index]?.request.acceptedAtMs ?? 0;
      },
      unknown: (kind) => this.#warnOf(kind),
    });
    link.last = last;
    this.#heard = { ...this.#heard, seq: Number.parseInt(last, 10) };
    this.#guard(() => this.#listener?.changes(changes));
  }

  /** Once for each kind. */
  #warnOf(kind: string): void {
    if (this.#unknown.has(kind)) return;
    this.#unknown.add(kind);
    process.emitWarning(
      `The log in Redis has entries of the kind "${kind}", which this version does not know: a newer one runs beside it.`,
      { type: 'SluiceWarning', code: 'SLUICE_NEWER_GATEWAY' },
    );
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

/**
 * Faults that do not pass by themselves: the data, a credential, a certificate or a file is another one than is wanted.
 */
function isFinal(cause: Error): boolean {
  const { code = '' } = cause as NodeJS.ErrnoException;
  return cause instanceof FormatError || refusesUser(cause) || finalCodes.has(code);
}

const finalCodes: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'EACCES',
  'ENOENT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Refusals that pass without a new connection. */
function isPassing({ message }: Error): boolean {
  return /^(?:OOM|MISCONF|NOREPLICAS|TRYAGAIN|CLUSTERDOWN|BUSY)/.test(message);
}

function newId(): string {
  return randomBytes(6).toString('base64url');
}

function nextDelay(delayMs: number): number {
  const doubled = Math.max(retryMs.least, Math.min(retryMs.most, 2 * delayMs));
  return doubled * (0.75 + Math.random() / 2);
}

async function withinMs<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('Redis does not answer')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
