import { setTimeout as after } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { connect } from '../../../src/engines/redis/connection.ts';
import { type Formats, formats } from '../../../src/engines/redis/formats.ts';
import { Keys } from '../../../src/engines/redis/keys.ts';
import type { RedisServer } from '../../../src/engines/redis/options.ts';
import { Server } from '../../../src/engines/redis/server.ts';
import { RedisUpstream } from '../../../src/engines/redis/upstream.ts';
import { ReplicaEngine } from '../../../src/engines/replica/engine.ts';
import type { PublishFields } from '../../../src/protocol/frames.ts';
import type { AppendOutcome, AppendRequest, EngineFeed, StoredTopic } from '../../../src/topics/engine.ts';
import type { StoredPublication } from '../../../src/topics/publication.ts';
import { ofTest } from '../../support/opened.ts';
import { request, ring } from '../contract/harness.ts';
import { nodeTimeoutMs } from './counts-suite.ts';

/** One that is reached directly. */
export function single(url: string, timeoutMs = 10_000): RedisServer {
  const anyUser = { username: undefined, password: undefined };
  return { urls: [url], kind: 'single', sentinelName: '', ...anyUser, timeoutMs };
}

interface HeardTopic {
  epoch: string;
  /** Of the newest that was fed or loaded. */
  offset: number;
  readonly offsets: number[];
  readonly values: string[];
}

/** Hears what a broker would, and throws where that breaks the contract. */
class StrictFeed implements EngineFeed {
  readonly topics = new Map<string, HeardTopic>();
  readonly resets: { topic: string; epoch: string; offset: number; stored: number | undefined }[] = [];
  readonly faults: string[] = [];
  /** As it was loaded when the node started. */
  readonly stored = new Map<string, StoredTopic>();
  cause: Error | undefined;
  engine: ReplicaEngine | undefined;
  changed: () => void = () => undefined;

  appended(topic: string, epoch: string, publications: readonly StoredPublication[]): void {
    const heard = this.#topic(topic, epoch);
    if (heard.epoch !== epoch) this.faults.push(`${topic}: epoch ${epoch} without a reset`);
    for (const { offset, payload } of publications) {
      if (offset !== heard.offset + 1) this.faults.push(`${topic}: ${offset} after ${heard.offset}`);
      heard.offset = offset;
      heard.offsets.push(offset);
      heard.values.push(Buffer.from(payload.bytes).toString());
    }
    this.changed();
  }

  reset(topic: string, epoch: string, offset: number, stored?: StoredTopic): void {
    this.resets.push({ topic, epoch, offset, stored: stored?.publications.length });
    const heard = this.#topic(topic, epoch);
    heard.epoch = epoch;
    heard.offset = offset;
    if (epoch === '') this.topics.delete(topic);
    this.changed();
  }

  degraded(cause: Error | undefined): void {
    this.cause = cause;
    this.changed();
  }

  loaded(topic: string, stored: StoredTopic): void {
    const { epoch, offset } = stored;
    this.stored.set(topic, stored);
    this.topics.set(topic, { epoch, offset, offsets: [], values: [] });
  }

  #topic(topic: string, epoch: string): HeardTopic {
    const { offset = 0 } = this.engine?.numbering(topic) ?? {};
    const heard = this.topics.get(topic) ?? { epoch, offset, offsets: [], values: [] };
    this.topics.set(topic, heard);
    return heard;
  }
}

export interface Node {
  readonly engine: ReplicaEngine;
  readonly feed: StrictFeed;
  /** Appends as a broker does: the same request again while the engine can't do it. */
  publish(topic: string, value: string, more?: Partial<PublishFields>): Promise<AppendOutcome>;
}

export interface NodeOptions {
  readonly server: RedisServer;
  readonly prefix?: string;
  readonly minReplicas?: number;
  readonly formats?: Formats;
  readonly openWithinMs?: { readonly unreached: number; readonly reached: number };
}

/** A gateway without transports. It is closed with the test. */
export async function openNode({
  server,
  prefix = 'test',
  minReplicas = 0,
  formats: known,
  openWithinMs,
}: NodeOptions): Promise<Node> {
  const retention = (topic: string) =>
    ({ ...ring, maxPublications: 1000, mode: topic.startsWith('state') ? 'state' : 'stream' }) as const;
  const upstream = new RedisUpstream({
    server,
    prefix,
    minReplicas,
    retention,
    formats: known,
    openWithinMs,
  });
  const engine = ofTest(new ReplicaEngine({ upstream }));
  const feed = new StrictFeed();
  feed.engine = engine;
  await engine.open(feed);
  for (const name of engine.names()) {
    const stored = await engine.load(name);
    if (stored !== undefined) feed.loaded(name, stored);
  }
  return { engine, feed, publish: (topic, value, more) => appendAgain(engine, valued(topic, value, more)) };
}

export function valued(topic: string, value: string, more: Partial<PublishFields> = {}): AppendRequest {
  return request(
    topic,
    { payload: { format: 'json', bytes: Buffer.from(JSON.stringify(value)) }, ...more },
    Date.now(),
  );
}

async function appendAgain(engine: ReplicaEngine, asked: AppendRequest): Promise<AppendOutcome> {
  for (;;) {
    const [outcome] = await engine.append([asked]);
    if (outcome === undefined || outcome.ok || outcome.error.code !== 'engine_unavailable')
      return outcome as AppendOutcome;
    await after(20);
  }
}

/** Resolves once the condition holds; the feeds of these nodes tell when to look. */
export async function until(condition: () => boolean, ...nodes: readonly Node[]): Promise<void> {
  if (condition()) return;
  await new Promise<void>((resolve) => {
    for (const { feed } of nodes)
      feed.changed = () => {
        if (condition()) resolve();
      };
  });
}

/** What the scripts do there, without a node. Close it. */
export async function serverAt(server: RedisServer): Promise<Server> {
  const connection = await connect(server, 'commands', () => undefined);
  return new Server(connection, new Keys('test'), nodeTimeoutMs, formats);
}

/** Disconnected with the test. */
export function commandsTo(url: string): Redis {
  return ofTest(new Redis(url));
}
