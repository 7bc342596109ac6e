import { MemoryEngine } from '../../src/engines/memory.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Payload, PublishFields } from '../../src/protocol/frames.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import { utf8 } from '../../src/protocol/utf8.ts';
import { Broker, type BrokerOptions, type TopicListener } from '../../src/topics/broker.ts';
import type { AppendOutcome, AppendRequest } from '../../src/topics/engine.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import type { Topic, TopicOptions } from '../../src/topics/topic.ts';
import { RecordedMetrics } from '../support/metrics.ts';

export function json(value: unknown): Payload {
  return { format: 'json', bytes: utf8(JSON.stringify(value)) };
}

export function fields(topic: string, more: Partial<PublishFields> = {}): PublishFields {
  return publishOf({ topic, type: 'update', payload: json(1), ...more });
}

/** A publication as an engine makes it. */
export function stored(
  offset: number,
  more: Partial<PublishFields> = {},
  publishedAtMs = 0,
): StoredPublication {
  return new StoredPublication(fields('t', more), offset, offset, publishedAtMs, 0);
}

/** All that is known of it, except when this process accepted it. */
export function factsOf(publication: StoredPublication) {
  const { payload, timestampMs, expiresAtMs, acceptedAtMs, ...facts } = publication;
  return { ...facts, payload, timestampMs, expiresAtMs };
}

/** A clock that only moves when it is told to. */
export class FakeClock {
  nowMs: number;

  constructor(nowMs = 1_000_000) {
    this.nowMs = nowMs;
  }

  readonly read = (): number => this.nowMs;

  advance(ms: number): void {
    this.nowMs += ms;
  }
}

export const defaultTopic: TopicOptions = {
  mode: 'stream',
  maxPublications: 1000,
  maxAgeMs: 3_600_000,
  maxBytes: 1_048_576,
  ttlMs: undefined,
};

export type Heard =
  | { readonly event: 'appended'; readonly topic: string; readonly offsets: readonly number[] }
  | { readonly event: 'reset' | 'removed'; readonly topic: string };

/** Writes down what it is told. */
class RecordingListener implements TopicListener {
  readonly heard: Heard[] = [];
  readonly publications: StoredPublication[] = [];

  appended(topic: Topic, publications: readonly StoredPublication[]): void {
    this.publications.push(...publications);
    this.heard.push({
      event: 'appended',
      topic: topic.name,
      offsets: publications.map(({ offset }) => offset),
    });
  }

  reset(topic: Topic): void {
    this.heard.push({ event: 'reset', topic: topic.name });
  }

  removed(topic: Topic): void {
    this.heard.push({ event: 'removed', topic: topic.name });
  }
}

/** Topics of the namespaces "state" and "streams" differ in their mode; the rest is as the options say. */
export function makeBroker(
  options: Partial<Omit<BrokerOptions, 'namespace'>> & { readonly topic?: Partial<TopicOptions> } = {},
) {
  const clock = new FakeClock();
  const counts = new RecordedMetrics();
  const { topic, ...rest } = options;
  const broker = new Broker({
    engine: new MemoryEngine({ nowMs: clock.read, isState: (name) => name === 'state' }),
    namespace: (name) => ({ ...defaultTopic, mode: name === 'state' ? 'state' : 'stream', ...topic }),
    metrics: counts.metrics,
    payloadMaxBytes: 65_536,
    topicsMax: 1000,
    topicsMaxPerClient: 1000,
    topicsMaxBytesPerClient: 48 * 2 ** 20,
    historyMaxBytes: 256 * 1_048_576,
    historyMaxBytesPerClient: 256 * 1_048_576,
    nowMs: clock.read,
    monotonicMs: clock.read,
    wait: async () => undefined,
    ...rest,
  });
  return { broker, clock, counts };
}

export async function openBroker(options: Parameters<typeof makeBroker>[0] = {}) {
  const made = makeBroker(options);
  const listener = new RecordingListener();
  await made.broker.open(listener);
  return { ...made, listener };
}

/** Publishes one and answers its outcome. */
export async function publishOne(broker: Broker, publish: PublishFields): Promise<AppendOutcome> {
  const [outcome] = await broker.publish([publish]);
  if (outcome === undefined) throw new Error('no outcome');
  return outcome;
}

/** What became of each: its offset, or the code of its error. */
export function summary(outcomes: readonly AppendOutcome[]): (number | string)[] {
  return outcomes.map((outcome) => (outcome.ok ? outcome.offset : outcome.error.code));
}

/** Lets pending promises settle. */
export function answered(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Commits, or fails, when it is told to: everything that waits, in the order in which it came. */
export class WaitingEngine extends MemoryEngine {
  readonly #waiting: ((isFailing: boolean) => void)[] = [];

  get calls(): number {
    return this.#waiting.length;
  }

  override append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const failed = requests.map(() => ({ ok: false, error: new SluiceError('engine_unavailable') }) as const);
    return new Promise((resolve) =>
      this.#waiting.push((isFailing) => resolve(isFailing ? failed : super.append(requests))),
    );
  }

  async commit(isFailing = false): Promise<void> {
    for (const append of this.#waiting.splice(0)) append(isFailing);
    await answered();
  }
}

export function topicOf(found: Topic | undefined): Topic {
  if (found === undefined) throw new Error('no such topic');
  return found;
}
