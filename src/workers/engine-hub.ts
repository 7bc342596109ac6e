import { whenDone } from '../awaitable.ts';
import type { Broker } from '../topics/broker.ts';
import type { Engine, EngineFeed } from '../topics/engine.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import type { EngineCalls, EngineFacts, EngineNews } from './calls.ts';
import { encodeTold, type Handlers, type Link } from './link.ts';
import { packAppended, packTopic } from './packed.ts';
import { packOutcomes, unpackRequests } from './packed-appends.ts';

type EngineLink = Link<EngineCalls, EngineNews>;

/**
 * A worker with more unread bytes than this is stuck. It has to be ended, so that its backlog does not fill the memory
 * of the parent. No message is as large: a worker that joins is told topics in pieces, and then at most 100 000
 * numberings and 100 000 positions.
 */
export const unreadMaxBytes = 64 * 2 ** 20;
/** Topics are told to a worker that joins in pieces of about this size, each once it has read the one before. */
const pieceBytes = 2 ** 20;

/** A worker, and the topics that it was not told yet; undefined: it was told all. */
interface JoinedWorker {
  readonly link: EngineLink;
  untold: Set<string> | undefined;
}

export interface EngineHubOptions {
  readonly engine: Engine;
  readonly broker: Broker;
  /** Called once for a worker that does not read: it is told no more, and has to be ended. */
  readonly stuck: (link: EngineLink) => void;
}

/**
 * The engine's side of a gateway with several processes: runs the appends of all workers, and tells every worker of
 * each commit. The parent's broker holds the topics for workers that join later. Each publication is encoded once.
 */
export class EngineHub {
  readonly #options: EngineHubOptions;
  readonly #members = new Map<EngineLink, JoinedWorker>();
  #degraded: string | undefined;

  constructor(options: EngineHubOptions) {
    this.#options = options;
  }

  /** Milliseconds since 1970 on the clock of ages and TTLs. */
  nowMs(): number {
    return this.#options.broker.nowMs();
  }

  /** Wraps the broker's feed: workers hear of everything after the broker. */
  feedOf(broker: EngineFeed): EngineFeed {
    return {
      appended: (topic, epoch, publications) => {
        broker.appended(topic, epoch, publications);
        this.#appended(topic, epoch, publications);
      },
      reset: (topic, epoch, offset, stored, commonSeq) => {
        broker.reset(topic, epoch, offset, stored, commonSeq);
        this.#tell('reset', [topic, epoch, offset, stored && packTopic(stored), commonSeq], topic);
      },
      missed: ({ epoch, forgottenSeq }) => {
        broker.missed?.({ epoch, forgottenSeq });
        this.#tell('missed', { epoch, forgottenSeq });
      },
      degraded: (cause) => {
        broker.degraded(cause);
        this.#degraded = cause?.message;
        const { epoch, seq, forgottenSeq } = this.#options.engine;
        this.#tell('degraded', [this.#degraded, { epoch, seq, forgottenSeq }]);
      },
    };
  }

  /** The broker has removed the topic, as it holds nothing. */
  removed({ name }: Topic): void {
    this.#tell('forgotten', [name, this.#options.engine.forgottenSeq], name);
  }

  /** How the calls of this worker are handled. */
  handlersFor(link: EngineLink): Handlers<EngineCalls> {
    const { engine } = this.#options;
    return {
      join: () => this.#join(link),
      append: (requests) => whenDone(engine.append(unpackRequests(requests)), packOutcomes),
      acknowledge: ([topic, user, position]) => {
        engine.acknowledged.set(topic, user, position);
        this.#tell('acknowledged', [topic, user, position], undefined, link);
      },
    };
  }

  /** The worker is gone. */
  left(link: EngineLink): void {
    this.#members.delete(link);
  }

  async #join(link: EngineLink): Promise<EngineFacts> {
    const { broker, engine } = this.#options;
    const untold = new Set<string>();
    for (const { name, holdsContent } of broker.topics()) if (holdsContent) untold.add(name);
    const member: JoinedWorker = { link, untold };
    this.#members.set(link, member);
    let bytes = 0;
    for (const name of untold) {
      const topic = broker.find(name);
      untold.delete(name);
      if (topic === undefined) continue;
      link.tell('topic', [name, packTopic(storedTopicOf(topic))]);
      bytes += topic.bytes;
      if (bytes < pieceBytes) continue;
      bytes = 0;
      await link.channel.flushed();
    }
    member.untold = undefined;
    const { name, topicBytes, epoch, seq, forgottenSeq } = engine;
    return {
      name,
      topicBytes,
      epoch,
      seq,
      forgottenSeq,
      degraded: this.#degraded,
      idle: [...engine.numberings(0)],
      acknowledged: [...engine.acknowledged.entries()],
    };
  }

  #appended(topic: string, epoch: string, publications: readonly StoredPublication[]): void {
    if (this.#members.size > 0) this.#tell('appended', packAppended(topic, epoch, publications), topic);
  }

  /** Tells each worker but `except`; of a topic only those that were told what it held before. Encodes once. */
  #tell<N extends keyof EngineNews>(
    name: N,
    news: Parameters<EngineNews[N]>[0],
    topic?: string,
    except?: EngineLink,
  ): void {
    let encoded: Buffer | undefined;
    for (const { link, untold } of this.#members.values()) {
      if (link === except || (topic !== undefined && untold?.has(topic))) continue;
      encoded ??= encodeTold(name, news);
      link.channel.sendEncoded(encoded);
      if (link.channel.unsentBytes <= unreadMaxBytes) continue;
      this.#members.delete(link);
      this.#options.stuck(link);
    }
  }
}

function storedTopicOf({ epoch, ring, seq, bornAfterSeq, state }: Topic) {
  return {
    epoch,
    offset: ring.newest,
    seq,
    bornAfterSeq,
    evictedSeq: ring.evictedSeq,
    publications: ring.slice(ring.reach),
    state: [...(state?.values() ?? [])],
  };
}
