import { whenDone } from '../awaitable.ts';
import type { NodeHandlers, OtherNodes } from '../other-nodes.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import type { Broker } from '../topics/broker.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic, TopicOptions } from '../topics/topic.ts';
import type { LatestPage, TopicInfo, TopicReader } from './ports.ts';

export interface TopicReaderOptions {
  readonly broker: Broker;
  readonly namespace: (name: string) => TopicOptions;
  readonly subscribers: (topic: Topic) => number;
}

/** The payload bytes of one page: it ends with the publication that reaches them, and the next page follows. */
const pageMaxBytes = 1024 * 1024;

/** What nodes ask each other about topics. */
export interface TopicCalls {
  /** The number of subscribers of each topic, in order. */
  subscribersOf(topics: readonly string[]): readonly number[];
}

/** What this node replies when others ask it. */
export function topicHandlers({
  broker,
  subscribers,
}: Pick<TopicReaderOptions, 'broker' | 'subscribers'>): NodeHandlers<TopicCalls> {
  const subscribersOf = (name: string) => {
    const topic = broker.find(name);
    return topic === undefined ? 0 : subscribers(topic);
  };
  return { subscribersOf: (topics) => topics.map(subscribersOf) };
}

/** The topics as this node has them, with the subscribers of all nodes. */
export function sharedTopics(own: TopicReader, otherNodes: OtherNodes<TopicCalls>): TopicReader {
  const withAll = async (infos: readonly TopicInfo[]): Promise<TopicInfo[]> => {
    const names = infos.map(({ topic }) => topic);
    const others = await otherNodes.ask('subscribersOf', names);
    return infos.map((info, i) => ({
      ...info,
      subscribers: others.reduce((sum, counts) => sum + (counts[i] ?? 0), info.subscribers),
    }));
  };
  return {
    ...own,
    async list(query) {
      const { topics, next } = await own.list(query);
      return { topics: await withAll(topics), next };
    },
    info: async (name) => (await withAll([await own.info(name)]))[0] as TopicInfo,
  };
}

/** The topics of this node, for HTTP. Lists leave Sluice's own topics out unless their prefix asks for them. */
export function topicReader({ broker, namespace, subscribers }: TopicReaderOptions): TopicReader {
  return {
    list({ prefix, after, limit }) {
      const first = new FirstNames(limit + 1);
      for (const { name } of broker.topicsOf(`${prefix}*`)) if (name > after) first.add(name);
      const names = first.sorted();
      const page = names.slice(0, limit);
      const topics = page.map((name) => info(broker.find(name) as Topic));
      return { topics, next: names.length > limit ? page.at(-1) : undefined };
    },

    async info(name) {
      const topic = await broker.load(name);
      if (topic !== undefined) return info(topic);
      const { mode } = namespace(namespaceOf(name));
      return {
        topic: name,
        ...broker.commits.lastPosition(name),
        mode,
        publications: 0,
        bytes: 0,
        subscribers: 0,
      };
    },

    history: (name, after, limit) => broker.history(name, after, limit, pageMaxBytes),

    latest(name, { key, after, limit }) {
      // At once where it is loaded: the caller times the work.
      return whenDone(broker.isLoaded(name) ? broker.find(name) : broker.load(name), (topic) => {
        if (topic === undefined) return { ...broker.commits.lastPosition(name), publications: [] };
        const nowMs = broker.nowMs();
        return topic.state === undefined
          ? { ...topic.position, publications: newestOf(topic, key, nowMs) }
          : stateOf(topic, { key, after, limit }, nowMs);
      });
    },
  };

  function info(topic: Topic): TopicInfo {
    return {
      topic: topic.name,
      ...topic.position,
      mode: topic.options.mode,
      publications: topic.ring.count,
      bytes: topic.bytes,
      keys: topic.state?.size,
      subscribers: subscribers(topic),
      lastPublishedAtMs: topic.lastPublishedAtMs === 0 ? undefined : broker.toWallMs(topic.lastPublishedAtMs),
    };
  }
}

/** The first names of many, in ascending order. Sorting all would take a hundred times as long for 100 000 topics. */
class FirstNames {
  readonly #count: number;
  #names: string[] = [];
  /** No later name is among the first. */
  #last: string | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  add(name: string): void {
    if (this.#last !== undefined && name > this.#last) return;
    this.#names.push(name);
    if (this.#names.length < 2 * this.#count) return;
    this.#names = this.sorted();
    this.#last = this.#names.at(-1);
  }

  sorted(): string[] {
    return this.#names.sort().slice(0, this.#count);
  }
}

function newestOf({ ring }: Topic, key: string | undefined, nowMs: number): readonly StoredPublication[] {
  const newest = ring.findLast(
    (publication) => publication.expiresAtMs > nowMs && (key === undefined || publication.key === key),
  );
  return newest === undefined ? [] : [newest];
}

function stateOf(
  topic: Topic,
  { key, after, limit }: { key?: string; after: string; limit: number },
  nowMs: number,
): LatestPage {
  const keyOf = (publication: StoredPublication) => publication.key ?? '';
  const values = [...topic.snapshot(nowMs)].filter((publication) =>
    key === undefined ? after === '' || keyOf(publication) > after : keyOf(publication) === key,
  );
  values.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const publications = firstPage(values, limit);
  const last = publications.at(-1);
  return {
    ...topic.position,
    publications,
    next: values.length > publications.length && last !== undefined ? keyOf(last) : undefined,
  };
}

function firstPage(values: readonly StoredPublication[], limit: number): readonly StoredPublication[] {
  let bytes = 0;
  let count = 0;
  while (count < Math.min(values.length, limit) && bytes < pageMaxBytes) {
    bytes += (values[count++] as StoredPublication).payload.bytes.length;
  }
  return values.slice(0, count);
}
