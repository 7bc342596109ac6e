import type { Tags } from '../../src/protocol/frames.ts';
import { AllocationSampler, type Allocations } from '../support/allocations.ts';
import { type LoopTrace, LoopWatch } from '../support/loop-watch.ts';
import { pace, SteeredPacer } from '../support/pacer.ts';
import { StampedPayloads } from '../support/payload.ts';
import { serveCalls, settledRssBytes } from '../support/worker.ts';

/** The order for a publisher, in the server's process or in its own. */
export interface PublishJob {
  /** In turn. */
  readonly topics: readonly string[];
  readonly rate: number;
  readonly seconds: number;
  readonly bytes: number;
  /** Number of keys of a state topic, used in turn. Publishers in the server's process use none. */
  readonly keys?: number;
  /** The gateway's filters look at them. */
  readonly tags?: Tags;
}

export interface PublishReport {
  readonly sent: number;
  /** Refused or never answered. */
  readonly failed: number;
  /** The publisher's own worst delay. */
  readonly latestMs: number;
}

export interface PeerOptions {
  /** Named topic0, topic1 … */
  readonly topics: number;
  /** Each connection gets one topic, in turn, instead of all. For servers without a subscribe command. */
  readonly spread?: boolean;
  /** 0: one frame per message; otherwise one frame per interval. The gateway has its own rules. */
  readonly batchMs?: number;
  /** A Redis by which servers other than the gateway share publications, if they can. */
  readonly redisUrl?: string | undefined;
  /** Of the gateway. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Of the gateway. `cut`: its code has no hooks; `on`: functions of its process allow everything. Default: `off`. */
  readonly hooks?: 'cut' | 'off' | 'on';
}

/** A server that publishes in its own process. */
export interface Peer {
  /** Returns its port. */
  start(options: PeerOptions): Promise<number>;
  /** Sends to all subscribers of the topic. Returns whether it was accepted. */
  send(topic: string, message: Buffer, job: Pick<PublishJob, 'tags'>): boolean | Promise<boolean>;
}

/** The topics of connection number `index`. */
export function topicsOf({ topics, spread }: PeerOptions, index: number): string[] {
  if (spread === true) return [`topic${index % topics}`];
  return Array.from({ length: topics }, (_, i) => `topic${i}`);
}

type SteerJob = Omit<PublishJob, 'rate' | 'seconds'>;

/** Serves, in the worker, the calls that all servers share. */
export function peerHandlers(peer: Peer) {
  let batchMs = 0;
  let steered: { pacer: SteeredPacer; publishing: Publishing } | undefined;

  async function start(options: PeerOptions): Promise<number> {
    batchMs = options.batchMs ?? 0;
    return peer.start(options);
  }

  async function publish(job: PublishJob): Promise<PublishReport> {
    const publishing = new Publishing(peer, job, batchMs);
    const { sent, latestMs } = await pace(job.rate, job.seconds, (index) => publishing.publish(index));
    return { sent, latestMs, failed: await publishing.end() };
  }

  /** Sets the rate, and returns how many messages were published so far. */
  function steer({ rate, ...job }: SteerJob & { readonly rate: number }): number {
    if (steered === undefined) {
      const publishing = new Publishing(peer, job, batchMs);
      steered = { publishing, pacer: new SteeredPacer(rate, (index) => publishing.publish(index)) };
    }
    steered.pacer.rate = rate;
    return steered.pacer.sent;
  }

  async function stop(): Promise<Omit<PublishReport, 'latestMs'>> {
    const { pacer, publishing } = steered!;
    pacer.stop();
    steered = undefined;
    return { sent: pacer.sent, failed: await publishing.end() };
  }

  return { start, publish, steer, stop, rssBytes: settledRssBytes, ...looks() };
}

/** Details about the process, for runs of their own, because collecting them takes time. */
function looks() {
  let watch: LoopWatch | undefined;
  let sampler: AllocationSampler | undefined;
  return {
    watchLoop(): void {
      watch = new LoopWatch();
    },
    loopTrace(): Promise<LoopTrace> {
      return watch!.end();
    },
    sampleAllocations(): void {
      sampler = new AllocationSampler();
    },
    allocations(): Promise<Allocations> {
      return sampler!.end();
    },
  };
}

export type PeerCalls = ReturnType<typeof peerHandlers>;

export function servePeer(peer: Peer): void {
  serveCalls(peerHandlers(peer));
}

/** Makes messages and hands them to a server, one by one or those of some milliseconds together. */
class Publishing {
  readonly #peer: Peer;
  readonly #job: SteerJob;
  readonly #payloads: StampedPayloads;
  readonly #pending = new Map<string, Buffer[]>();
  readonly #timer: NodeJS.Timeout | undefined;
  /** A count: a set of promises would be more to collect than what they are of. */
  #underWay = 0;
  #ended: (() => void) | undefined;
  #failed = 0;

  constructor(peer: Peer, job: SteerJob, batchMs: number) {
    this.#peer = peer;
    this.#job = job;
    this.#payloads = new StampedPayloads(job.bytes, 1);
    if (batchMs > 0) this.#timer = setInterval(() => this.#flush(), batchMs);
  }

  publish(index: number): void {
    const topic = this.#job.topics[index % this.#job.topics.length]!;
    const message = this.#payloads.next();
    if (this.#timer === undefined) {
      this.#send(topic, message);
      return;
    }
    const pending = this.#pending.get(topic);
    if (pending === undefined) this.#pending.set(topic, [message]);
    else pending.push(message);
  }

  /** Returns how many messages were refused. */
  async end(): Promise<number> {
    clearInterval(this.#timer);
    this.#flush();
    if (this.#underWay > 0)
      await new Promise<void>((resolve) => {
        this.#ended = resolve;
      });
    return this.#failed;
  }

  #flush(): void {
    for (const [topic, messages] of this.#pending) this.#send(topic, Buffer.concat(messages));
    this.#pending.clear();
  }

  #send(topic: string, message: Buffer): void {
    const answer = this.#peer.send(topic, message, this.#job);
    if (answer === true) return;
    this.#underWay++;
    void Promise.resolve(answer).then((ok) => {
      if (!ok) this.#failed++;
      if (--this.#underWay === 0) this.#ended?.();
    });
  }
}
