import { randomBytes } from 'node:crypto';
import type { Position, PublishFields } from '../../protocol/frames.ts';
import type { StoredTopic } from '../../topics/engine.ts';
import { MessageIds } from '../../topics/idempotency.ts';
import type { StoredPublication } from '../../topics/publication.ts';
import type { TopicOptions } from '../../topics/topic.ts';
import {
  goneKey,
  headKey,
  kindRange,
  nameOfHeadKey,
  numberOfGoneKey,
  offsetKey,
  offsetOfKey,
  stateKey,
  topicRange,
} from './keys.ts';
import {
  decodeHead,
  decodeMessageId,
  decodePublication,
  type HeadRecord,
  publicationFacts,
  RecordWriter,
} from './records.ts';
import type { Store } from './store.ts';

/** What the engine keeps of a topic: how many, how large, how old; and whether as a state. */
export type Retention = Pick<TopicOptions, 'mode' | 'maxPublications' | 'maxBytes' | 'maxAgeMs'>;

/** One topic as this process knows it: its stored head, and what is looked up once. */
export interface Head extends HeadRecord {
  readonly name: string;
  readonly retention: Retention;
  offset: number;
  reach: number;
  bytes: number;
  touchedMs: number;
  /** Of the oldest kept publication; NaN: not looked at. */
  oldestMs: number;
  /** Absent: not read from the store yet. */
  messageIds: MessageIds | undefined;
  /** Message ids up to this offset are deleted. */
  messageIdsReach: number;
  /** Whether there may be message ids in the store. */
  storesMessageIds: boolean;
}

/**
 * The topics of a store, the longest idle first. A cache of what is committed, except while a transaction is being made:
 * when that fails, throw this away with the store and read both again.
 */
export class Topics {
  readonly store: Store;
  readonly #retention: (topic: string) => Retention;
  readonly #heads: Map<string, Head>;
  readonly #writer = new RecordWriter();
  #nextNumber = 1;
  /** What all kept publications cost. */
  bytes = 0;
  /** Numbers of forgotten topics that still have records. */
  readonly gone: number[];
  /** Topics that were in state mode once and no longer are: they still have a state. */
  readonly staleStates: Head[] = [];

  constructor(store: Store, retention: (topic: string) => Retention) {
    this.store = store;
    this.#retention = retention;
    this.gone = store.keys(kindRange('gone')).map(numberOfGoneKey);
    const heads: Head[] = [];
    for (const { key, value } of store.entries(kindRange('head'))) {
      const record = decodeHead(value);
      const head = this.#head(nameOfHeadKey(key), record);
      heads.push(head);
      if (record.mode === 'state' && head.mode !== 'state') this.staleStates.push(head);
    }
    heads.sort((a, b) => a.touchedMs - b.touchedMs);
    this.#heads = new Map(heads.map((head) => [head.name, head]));
    for (const { bytes, number } of heads) {
      this.bytes += bytes;
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    }
    for (const number of this.gone) this.#nextNumber = Math.max(this.#nextNumber, number + 1);
  }

  names(): string[] {
    return [...this.#heads.keys()];
  }

  heads(): IterableIterator<Head> {
    return this.#heads.values();
  }

  find(name: string): Head | undefined {
    return this.#heads.get(name);
  }

  /** The topic, in a new epoch when there is none. Written with its first publication. */
  findOrMake(name: string): Head {
    const known = this.#heads.get(name);
    if (known !== undefined) return known;
    const head = this.#head(name, {
      number: this.#nextNumber++,
      epoch: randomBytes(6).toString('base64url'),
      mode: 'stream',
      offset: 0,
      reach: 0,
      bytes: 0,
      touchedMs: 0,
    });
    head.messageIds = new MessageIds();
    this.#heads.set(name, head);
    return head;
  }

  /** From this turn on the topic is unknown; `deleteHead` makes it so in the store. */
  forget(head: Head): void {
    this.#heads.delete(head.name);
    this.bytes -= head.bytes;
  }

  messageIds(head: Head): MessageIds {
    if (head.messageIds !== undefined) return head.messageIds;
    head.messageIds = new MessageIds();
    for (const { key, value } of this.store.entries(topicRange('messageId', head.number))) {
      const { messageId, digest, atMs } = decodeMessageId(value);
      head.messageIds.add(messageId, { offset: offsetOfKey(key), digest, atMs });
      head.storesMessageIds = true;
    }
    return head.messageIds;
  }

  /** Whether the newest publication of this key, in state mode, is the one at this position. Sees what its transaction did. */
  isNewest({ topic, key }: PublishFields, { epoch, offset }: Position): boolean {
    const head = this.#heads.get(topic);
    if (head?.epoch !== epoch || head.mode !== 'state') return false;
    const record = this.store.get(stateKey(head.number, key ?? ''));
    return record !== undefined && publicationFacts(record).offset === offset;
  }

  /** What the topic's retention lets stand at this time, and the newest publication per key. */
  read(head: Head, nowMs: number): StoredTopic {
    const { name, number, epoch, offset, retention } = head;
    const state: StoredPublication[] = [];
    if (head.mode === 'state') {
      for (const { value } of this.store.entries(topicRange('state', number)))
        state.push(decodePublication(name, value));
    }
    // The longest unchanged first.
    state.sort((a, b) => a.offset - b.offset);
    return { epoch, offset, publications: this.#newest(head, retention, nowMs), state };
  }

  // ---- within a transaction

  putPublication(head: Head, publication: StoredPublication): void {
    const record = this.#writer.publication(publication);
    this.store.put(offsetKey('publication', head.number, publication.offset), record);
    head.bytes += publication.bytes;
    this.bytes += publication.bytes;
    if (head.mode !== 'state') return;
    const key = stateKey(head.number, publication.key ?? '');
    if (publication.removed === true) this.store.remove(key);
    else this.store.put(key, record);
  }

  putMessageId(head: Head, messageId: string, offset: number, digest: string, atMs: number): void {
    head.storesMessageIds = true;
    this.store.put(
      offsetKey('messageId', head.number, offset),
      this.#writer.messageId({ messageId, digest, atMs }),
    );
  }

  putHead(head: Head): void {
    this.store.put(headKey(head.name), this.#writer.head(head));
  }

  /** Makes the topic the one that was used last. */
  touch(head: Head, nowMs: number): void {
    head.touchedMs = nowMs;
    this.#heads.delete(head.name);
    this.#heads.set(head.name, head);
  }

  /** What the topic had is deleted later, step by step. */
  deleteHead(head: Head): void {
    this.store.remove(headKey(head.name));
    this.store.put(goneKey(head.number), Buffer.of(1));
    this.gone.push(head.number);
  }

  // ---- private

  #head(name: string, record: HeadRecord): Head {
    const retention = this.#retention(name);
    return {
      ...record,
      name,
      retention,
      mode: retention.mode,
      oldestMs: Number.NaN,
      messageIds: undefined,
      messageIdsReach: 0,
      storesMessageIds: false,
    };
  }

  #newest({ name, number, reach, offset }: Head, limits: Retention, nowMs: number): StoredPublication[] {
    const newestFirst: StoredPublication[] = [];
    let bytes = 0;
    const range = {
      start: offsetKey('publication', number, offset),
      end: offsetKey('publication', number, reach),
      reverse: true,
      limit: Math.min(offset - reach, limits.maxPublications),
    };
    for (const { value } of range.limit > 0 ? this.store.entries(range) : []) {
      const publication = decodePublication(name, value);
      bytes += publication.bytes;
      if (bytes > limits.maxBytes && newestFirst.length > 0) break;
      newestFirst.push(publication);
    }
    const publications = newestFirst.reverse();
    const horizon = nowMs - limits.maxAgeMs;
    const firstYoung = publications.findIndex(({ publishedMs }) => publishedMs >= horizon);
    return firstYoung === -1 ? [] : publications.slice(firstYoung);
  }
}
