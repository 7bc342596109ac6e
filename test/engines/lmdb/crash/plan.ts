import type { LmdbOptions } from '../../../../src/engines/lmdb/options.ts';
import type { PublishFields } from '../../../../src/protocol/frames.ts';
import { publishOf } from '../../../../src/protocol/publication.ts';

/** What the publisher that is killed and the check after it must agree on. */
export interface PublisherArguments {
  readonly folder: string;
  readonly run: number;
  readonly sync: boolean;
  /** How many append at the same time. */
  readonly publishers: number;
}

export const shortRing = 20;
const topics = ['stream', 'state', 'ids', 'short'] as const;
export type CrashTopic = (typeof topics)[number];

export interface Acknowledged {
  readonly run: number;
  readonly number: number;
  readonly topic: CrashTopic;
  readonly epoch: string;
  readonly offset: number;
}

export function topicOf(number: number): CrashTopic {
  return topics[number % topics.length] as CrashTopic;
}

/** Every publication says which one it is, and comes back the same when it is asked for again. */
export function publishFields(run: number, number: number): PublishFields {
  const id = `${run}:${number}`;
  const topic = topicOf(number);
  return publishOf({
    topic,
    type: 'crash',
    payload: { format: 'json', bytes: Buffer.from(JSON.stringify(id.padEnd(40 + (number % 7) * 100))) },
    key: topic === 'state' ? `k${number % 100}` : undefined,
    messageId: topic === 'ids' ? id : undefined,
  });
}

export function idOf({ payload }: Pick<PublishFields, 'payload'>): string {
  return (JSON.parse(Buffer.from(payload.bytes).toString()) as string).trimEnd();
}

export function optionsOf(folder: string, sync: boolean): LmdbOptions {
  return {
    dataDir: folder,
    sync,
    historyMaxBytes: 2 ** 40,
    retention: (topic) => ({
      mode: topic === 'state' ? 'state' : 'stream',
      maxPublications: topic === 'short' ? shortRing : 10_000_000,
      maxBytes: 2 ** 40,
      maxAgeMs: 2 ** 40,
    }),
  };
}
