import { Packr } from 'msgpackr';
import type { Acknowledgement, Picture, UpstreamHead } from '../replica/upstream.ts';
import type { EncodedBatch } from './batch.ts';
import { type Argument, isRefusal, nameRefused, type RedisConnection } from './connection.ts';
import { FormatError, type Formats } from './formats.ts';
import type { Keys } from './keys.ts';
import { entriesIn, entriesOf, type LogEntry } from './log.ts';
import type { RedisRetention } from './options.ts';
import { type Script, scripts } from './scripts.ts';
import { readHead } from './stored.ts';

/**
 * Packs the texts and numbers of a commit into one argument. Redis and its client take longer for an argument than it
 * takes to pack and unpack one. Records are not packed: Redis unpacks no bytes.
 */
const packr = new Packr({ useRecords: false });

/** A server's report about itself. */
export interface Greeting {
  /** The identity of the numbering of commits. */
  readonly epoch: string;
  /** Changes whenever another server takes over, or another numbering begins. */
  readonly term: string;
  /** The newest entry of the log. */
  readonly last: string;
  /**
   * It still waits for the reports of other nodes, as it took over from the server with this run id; empty: it is not
   * known from which.
   */
  readonly waitsAfter: string | undefined;
  /** The format of its data. */
  readonly format: number;
  /** Milliseconds since 1970 on the clock of all nodes. */
  readonly nowMs: number;
  /** This node was not heard of for the time-out before. */
  readonly wasGone: boolean;
  /** Nodes that were heard of lately. */
  readonly nodes: readonly string[];
}

/** A node's report about itself. */
export interface NodeReport {
  readonly node: string;
  readonly epoch: string;
  readonly seq: number;
  readonly term: string;
  /** Random text for the epochs of a numbering that begins. */
  readonly salt: string;
  /** Batches up to this one are given up; 0: none. */
  readonly fence: number;
  /** Milliseconds since 1970 on the clock of all nodes; 0: this node has not learnt the time yet. */
  readonly nowMs: number;
}

/** A picture, and where its log continues. */
export interface ServerPicture extends Picture {
  readonly term: string;
  readonly last: string;
}

/** About this many messages are kept for nodes that are away for a moment. */
const messagesMax = 10_000;
/** How long a server that took over waits for the reports of nodes. */
const censusMs = 5000;

/** A node's report about a key. */
export type KeyCount = readonly [key: string, count: number, limit: number];

/** The keys whose totals have reached their limits. */
export interface FullKeys {
  readonly version: string;
  /** Undefined: they have not changed since the version that the asking node has. */
  readonly full: ReadonlyMap<string, number> | undefined;
}

export interface TailEntries {
  readonly log: readonly LogEntry[];
  readonly messages: readonly unknown[];
}

/** Calls the scripts over one connection. */
export class Server {
  readonly #connection: RedisConnection;
  readonly #keys: Keys;
  readonly #nodeTimeoutMs: number;
  readonly #formats: Formats;
  /** The newest call of a script by its hash. */
  #newest: Promise<unknown> | undefined;
  /** The server has lost its scripts: all calls that were under way then have their replies. */
  #replies: Promise<unknown> | undefined;
  /** Those that it did not know were sent again. */
  #sentAgain: Promise<unknown> | undefined;
  #batches = 0;
  /** The last batch that was done. */
  #doneBatch = 0;

  /** `nodeTimeoutMs`: a node counts as alive for this long after it was last heard of. */
  constructor(connection: RedisConnection, keys: Keys, nodeTimeoutMs: number, formats: Formats) {
    this.#connection = connection;
    this.#keys = keys;
    this.#nodeTimeoutMs = nodeTimeoutMs;
    this.#formats = formats;
  }

  /** `living`: a server that is known to run as a master of the cluster; empty: none. */
  async hello({ node, epoch, seq, term, salt, fence, nowMs }: NodeReport, living = ''): Promise<Greeting> {
    const { meta, log, heads, idle, acknowledged, nodes, census } = this.#keys;
    const keys = [meta, log, heads, idle, acknowledged, this.#keys.replies(node), nodes, census];
    const report = [node, epoch, seq, term === '' ? 0 : term, salt, fence];
    const { oldest, newest } = this.#formats;
    const args = [...report, this.#nodeTimeoutMs, censusMs, newest, oldest, living, nowMs];
    const reply = String(await this.#run(scripts.hello, keys, args));
    if (reply.startsWith('format ')) throw new FormatError(Number(reply.slice(7)), this.#formats);
    const [newEpoch = '', newTerm = '', last = '', state = '', format, now, gone, others = ''] =
      reply.split(' ');
    return {
      epoch: newEpoch,
      term: newTerm,
      last,
      waitsAfter: /^census:(.*)/.exec(state)?.[1],
      format: Number(format),
      nowMs: Number(now),
      wasGone: gone === '1',
      nodes: others.split(','),
    };
  }

  /** Whether the server with this run id is a master of the cluster whose slot of this prefix was moved to another. */
  async hasMoved(run: string): Promise<boolean> {
    return run !== '' && (await this.#connection.mastersWithout(this.#keys.meta)).includes(run);
  }

  /** The node leaves. */
  async goodbye(node: string): Promise<void> {
    await this.#connection.call('HDEL', this.#keys.nodes, node);
  }

  /** The replies to the last batches of the node, by their numbers. */
  async replies(node: string): Promise<ReadonlyMap<number, string>> {
    const values = (await this.#connection.call('HVALS', this.#keys.replies(node))) as readonly Buffer[];
    const replies = new Map<number, string>();
    for (const value of values) {
      const text = value.toString();
      const end = text.indexOf('\n');
      if (end !== -1) replies.set(Number(text.slice(0, end)), text.slice(end + 1));
    }
    return replies;
  }

  /** The newest commit. */
  async newest(): Promise<{ readonly epoch: string; readonly seq: number }> {
    const reply = await this.#connection.call('HMGET', this.#keys.meta, 'epoch', 'last');
    const [epoch, last] = reply as readonly [Buffer | null, Buffer | null];
    return { epoch: String(epoch), seq: Number.parseInt(String(last), 10) };
  }

  /** `knownTerm`: in which the node has heard of commits. Rejects if the server has lost everything since. */
  async picture(knownTerm: string): Promise<ServerPicture> {
    const { meta, heads, acknowledged } = this.#keys;
    const reply = await this.#run(scripts.picture, [meta, heads, acknowledged], []);
    if (reply === null) throw new Error('Redis lost its data');
    const [about, headPairs, positions] = reply as readonly [
      readonly (Buffer | null)[],
      readonly Buffer[],
      readonly Buffer[],
    ];
    const [epoch = '', term = '', seq, last = '', forgottenSeq, former, kept, takeovers] = about.map(
      (value) => value?.toString(),
    );
    const headsByTopic = new Map<string, UpstreamHead>();
    for (const [topic, value] of pairs(headPairs)) headsByTopic.set(topic, readHead(value));
    return {
      epoch,
      term,
      seq: Number(seq),
      last,
      forgottenSeq: Number(forgottenSeq),
      heads: headsByTopic,
      former:
        former === undefined
          ? undefined
          : { epoch: former, keptSeq: keptSeq(Number(kept), takeovers, Number(knownTerm)) },
      acknowledged: [...pairs(positions)].map(acknowledgementOf),
    };
  }

  /** Whether nodes hear of the log by its feed. */
  get pushes(): boolean {
    return this.#connection.pushes;
  }

  /**
   * Returns what the script `commit` does. Batches are done in the order of the calls. One rejects with `NOSCRIPT`
   * where the server lacked the script when it came, and had it again for a later one.
   */
  async commit({ keys, args, records }: EncodedBatch): Promise<string> {
    const batch = ++this.#batches;
    const mayBeDone = () => batch > this.#doneBatch;
    const reply = await this.#run(scripts.commit, keys, [packr.pack(args), records], mayBeDone);
    this.#doneBatch = Math.max(this.#doneBatch, batch);
    return String(reply);
  }

  /** How many replicas have everything that this node has written. */
  replicas(node: string, min: number, timeoutMs: number): Promise<number> {
    return this.#connection.replicate(['PEXPIRE', this.#keys.replies(node), repliesKeptMs], min, timeoutMs);
  }

  /** Returns what `readStored` reads; null: there is no such topic. */
  load(topic: string, retention: RedisRetention): Promise<unknown> {
    const keys = [this.#keys.heads, this.#keys.content(topic), this.#keys.values(topic)];
    const args = [topic, retention.mode, retention.maxPublications + 1];
    return this.#run(scripts.load, keys, args);
  }

  /** Subscribes to the feed. Rejects if this user may not, or may not publish to it. */
  async subscribe(): Promise<void> {
    const { feed } = this.#keys;
    await this.#connection.subscribe(feed);
    await this.#connection.call('PUBLISH', feed, '');
  }

  /**
   * Calls `heard` with what comes to the log from now on, in its order. Without entries: there are some, or messages,
   * that have to be read.
   */
  follow(heard: (entries: readonly LogEntry[]) => void): void {
    this.#connection.heard = (message) => heard(entriesIn(message));
  }

  /**
   * Entries of the log after `last`, and messages after `lastMessage`. With `blockMs` it waits that long for the first
   * one.
   */
  async read(last: string, lastMessage: string, count: number, blockMs?: number): Promise<TailEntries> {
    const { log, messages } = this.#keys;
    const reply = await this.#connection.call(
      'XREAD',
      ...['COUNT', count],
      ...(blockMs === undefined ? [] : ['BLOCK', blockMs]),
      ...['STREAMS', log, messages, last, lastMessage],
    );
    const result = { log: [] as readonly LogEntry[], messages: [] as readonly unknown[] };
    for (const [key, entries] of (reply ?? []) as readonly (readonly [Buffer, readonly unknown[]])[])
      if (key.toString() === log) result.log = entriesOf(entries);
      else result.messages = entries;
    return result;
  }

  /** The policy by which Redis evicts keys when its memory is full; undefined: it evicts none. */
  async evicts(): Promise<string | undefined> {
    const info = String(await this.#connection.call('INFO', 'memory'));
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    return policy === 'noeviction' || /^maxmemory:0\s/m.test(info) ? undefined : policy;
  }

  /** The newest message. */
  async lastMessage(): Promise<string> {
    const reply = await this.#connection.call('XREVRANGE', this.#keys.messages, '+', '-', 'COUNT', 1);
    const [newest] = reply as readonly (readonly [Buffer, unknown])[];
    return newest === undefined ? '0-0' : newest[0].toString();
  }

  /** Tells all nodes. */
  async send(node: string, text: string): Promise<void> {
    const { messages } = this.#keys;
    await Promise.all([
      this.#connection.call('XADD', messages, 'MAXLEN', '~', messagesMax, '*', 'f', node, 't', text),
      ...(this.#connection.pushes ? [this.#connection.call('PUBLISH', this.#keys.feed, '')] : []),
    ]);
  }

  /**
   * Reports a node's counts of some keys; `anew`: as its first report. Resolves with the keys that are full then;
   * undefined: the server does not know this node.
   */
  async count(
    node: string,
    told: readonly KeyCount[],
    version: string,
    how: 'anew' | undefined,
  ): Promise<FullKeys | undefined> {
    const args = [node, 0, how ?? '', version, ...told.flat()];
    const reply = await this.#run(scripts.count, this.#countKeys(node), args);
    const [at, flat] = reply as readonly [Buffer, readonly Buffer[] | null | undefined];
    if (String(at) === 'lost') return undefined;
    return {
      version: String(at),
      full: flat
        ? new Map([...pairs(flat)].map(([key, value]) => [key, Number.parseInt(value, 10)]))
        : undefined,
    };
  }

  /** Nodes that have counted something and are gone. */
  async silent(): Promise<readonly string[]> {
    const reply = await this.#run(scripts.silent, this.#countKeys(''), ['', this.#nodeTimeoutMs]);
    return (reply as readonly Buffer[]).map(String);
  }

  /** Takes back a part of this node's counts. Resolves with whether more is left. */
  async bury(node: string, own?: 'own'): Promise<boolean> {
    const args = [node, this.#nodeTimeoutMs, own ?? ''];
    return (await this.#run(scripts.bury, this.#countKeys(node), args)) === 1;
  }

  close(): void {
    this.#connection.close();
  }

  #countKeys(node: string): readonly string[] {
    const { totals, full, counting, nodes, meta } = this.#keys;
    return [this.#keys.counts(node), totals, full, counting, nodes, meta];
  }

  /** `mayBeSentAgain`: asked where the server lacks the script, once all that was under way has its replies. */
  async #run(
    { text, sha }: Script,
    keys: readonly string[],
    args: readonly Argument[],
    mayBeSentAgain = () => true,
  ): Promise<unknown> {
    const call = (command: string, script: string) =>
      this.#connection.call(command, script, keys.length, ...keys, ...args);
    if (this.#sentAgain !== undefined) await this.#sentAgain;
    this.#newest = call('EVALSHA', sha);
    try {
      return await this.#newest.catch(async (error: unknown) => {
        if (!isRefusal(error) || !error.message.startsWith('NOSCRIPT')) throw error;
        await this.#repliesOfAll();
        if (!mayBeSentAgain()) throw error;
        return call('EVAL', text);
      });
    } catch (error) {
      if (isRefusal(error)) nameRefused(error, text);
      throw error;
    }
  }

  /** Resolves in the order of the calls. Later calls wait until all of these were sent again. */
  #repliesOfAll(): Promise<unknown> {
    this.#replies ??= Promise.allSettled([this.#newest]).then(turn);
    this.#sentAgain ??= this.#replies.then(turn).then(() => {
      this.#replies = undefined;
      this.#sentAgain = undefined;
    });
    return this.#replies;
  }
}

const turn = (): Promise<unknown> => new Promise(setImmediate);

/** Of the commits that a node has heard of in this term: a server that took over later may have lacked some. */
function keptSeq(kept: number, takeovers = '', knownTerm: number): number {
  const takeoverSeqs = [...takeovers.matchAll(/(\d+):(\d+)/g)]
    .filter(([, term]) => Number(term) > knownTerm)
    .map(([, , seq]) => Number(seq));
  return Math.min(kept, ...takeoverSeqs);
}

function* pairs(flat: readonly Buffer[]): Iterable<readonly [string, string]> {
  for (let i = 0; i < flat.length; i += 2) yield [String(flat[i]), String(flat[i + 1])];
}

function acknowledgementOf([field, value]: readonly [string, string]): Acknowledgement {
  const [topic, user] = JSON.parse(field) as [string, string];
  const [epoch = '', offset] = value.split(' ');
  return { topic, user, position: { epoch, offset: Number(offset) } };
}

/** As the script keeps them. */
const repliesKeptMs = 3_600_000;
export const replySlots = 16;
