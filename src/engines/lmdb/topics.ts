import { randomBytes } from 'node:crypto';
import type { Position, PublishFields } from '../../protocol/frames.ts';
import type { Numbering, StoredTopic } from '../../topics/engine.ts';
import { MessageIds } from '../../topics/idempotency.ts';
import { LinkedMap } from '../../topics/linked-map.ts';
import { MessageIdBudget, type MessageIdLimits } from '../../topics/message-id-budget.ts';
import type { StoredPublication } from '../../topics/publication.ts';
import type { TopicOptions } from '../../topics/topic.ts';
import { damagedData, isDamage } from './data-dir.ts';
import {
  engineKey,
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
  decodeEngine,
  decodeHead,
  decodeMessageId,
  decodePublication,
  type EngineRecord,
  type HeadRecord,
  publicationFacts,
  RecordWriter,
} from './records.ts';
import type { Store } from './store.ts';

/** What the engine keeps of a topic: how many, how large, how old; and whether as a state. */
export type Retention = Pick<TopicOptions, 'mode' | 'maxPublications' | 'maxBytes' | 'maxAgeMs'>;

/** Numberings of topics without content that are kept by default. */
const numberingsMax = 100_000;

/** What is kept of a topic whose content is gone, and the newest commit when it went. */
interface Idle extends HeadRecord {
  readonly atSeq: number;
}

/** One topic as this process knows it: its stored head, and what is looked up once. */
export interface Head extends HeadRecord {
  readonly name: string;
  readonly retention: Retention;
  offset: number;
  seq: number;
  reach: number;
  evictedSeq: number;
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
  /** What is kept of topics whose content is gone, the longest idle first. */
  readonly #idle = new LinkedMap<string, Idle>();
  readonly #numberingsMax: number;
  readonly messageIdBudget: MessageIdBudget;
  #engine: EngineRecord;
  #isEngineStored: boolean;
  /** The newest commit. */
  #seq: number;
  readonly #writer = new RecordWriter();
  #nextNumber = 1;
  /** What all kept publications cost. */
  bytes = 0;
  /** Numbers of forgotten topics that still have records. */
  readonly gone: number[];
  /** Topics that were in state mode once and no longer are: they still have a state. */
  readonly staleStates: Head[] = [];
  /** Topics that were streams and are in state mode now: their state is still to be made of what they hold. */
  readonly missingStates: Head[] = [];

  constructor(
    store: Store,
    retention: (topic: string) => Retention,
    kept = numberingsMax,
    messageIds?: MessageIdLimits,
  ) {
    this.store = store;
    this.messageIdBudget = new MessageIdBudget(messageIds);
    this.#numberingsMax = kept;
    const engine = store.get(engineKey);
    this.#engine =
      engine === undefined
        ? { epoch: randomBytes(6).toString('base64url'), forgottenSeq: 0 }
        : decodeEngine(engine);
    this.#isEngineStored = engine !== undefined;
    this.#seq = this.#engine.forgottenSeq;
    this.#retention = retention;
    this.gone = store.keys(kindRange('gone')).map(numberOfGoneKey);
    const heads: Head[] = [];
    const idle: [name: string, record: HeadRecord][] = [];
    for (const { key, value } of store.entries(kindRange('head'))) {
      const record = headOf(store, key, value);
      this.#seq = Math.max(this.#seq, record.seq);
      this.#nextNumber = Math.max(this.#nextNumber, record.number + 1);
      if (record.isIdle) {
        idle.push([nameOfHeadKey(key), record]);
        continue;
      }
      const head = this.#head(nameOfHeadKey(key), record);
      heads.push(head);
      if (record.mode === 'state' && head.mode !== 'state') this.staleStates.push(head);
      if (record.mode !== 'state' && head.mode === 'state') this.missingStates.push(head);
    }
    heads.sort((a, b) => a.touchedMs - b.touchedMs);
    this.#heads = new Map(heads.map((head) => [head.name, head]));
    idle.sort(([, a], [, b]) => a.touchedMs - b.touchedMs);
    for (const [name, record] of idle) this.#idle.set(name, { ...record, atSeq: this.#seq });
    for (const { bytes } of heads) this.bytes += bytes;
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

  get epoch(): string {
    return this.#engine.epoch;
  }

  get seq(): number {
    return this.#seq;
  }

  get forgottenSeq(): number {
    return this.#engine.forgottenSeq;
  }

  /** Of a topic whose content is gone. */
  numbering(name: string): Numbering | undefined {
    return this.#idle.get(name);
  }

  *numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    for (const [name, idle] of this.#idle.newestFirst()) {
      if (idle.atSeq <= afterSeq) return;
      if (idle.seq > afterSeq) yield [name, idle];
    }
  }

  /** The topic, in a new epoch when nothing is known of it. Written with its first publication. */
  findOrMake(name: string): Head {
    const known = this.#heads.get(name);
    if (known !== undefined) return known;
    const { atSeq: _, ...record } = this.#idle.get(name) ?? { ...this.#newHead(), atSeq: 0 };
    const head = this.#head(name, record);
    head.messageIds = new MessageIds(this.messageIdBudget);
    this.#heads.set(name, head);
    return head;
  }

  /** From this turn on the content is gone and only the numbering is kept; `putIdle` makes it so in the store. */
  forget(head: Head): void {
    const { name, epoch, mode, offset, seq, bornAfterSeq, touchedMs } = head;
    this.#heads.delete(name);
    this.bytes -= head.bytes;
    this.#idle.set(name, {
      ...{ epoch, mode, offset, seq, bornAfterSeq, touchedMs },
      number: this.#nextNumber++,
      reach: offset,
      evictedSeq: seq,
      bytes: 0,
      isIdle: true,
      atSeq: this.#seq,
    });
  }

  /** The feed has had publications of this topic: it has content again. */
  told(name: string): void {
    this.#idle.delete(name);
  }

  messageIds(head: Head, nowMs: number): MessageIds {
    if (head.messageIds !== undefined) return head.messageIds;
    head.messageIds = new MessageIds(this.messageIdBudget);
    for (const { key, value } of this.store.entries(topicRange('messageId', head.number))) {
      const { messageId, digest, atMs } = decodeMessageId(value);
      head.messageIds.restore(messageId, { offset: offsetOfKey(key), digest, atMs }, nowMs);
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
    try {
      return this.#read(head, nowMs);
    } catch (error) {
      throw inTopic(error, this.store.file, head.name);
    }
  }

  #read(head: Head, nowMs: number): StoredTopic {
    const { name, number, epoch, offset, seq, evictedSeq, bornAfterSeq, retention } = head;
    const state: StoredPublication[] = [];
    if (head.mode === 'state') {
      for (const { value } of this.store.entries(topicRange('state', number)))
        state.push(decodePublication(name, value));
    }
    // The longest unchanged first.
    state.sort((a, b) => a.offset - b.offset);
    const publications = this.#newest(head, retention, nowMs);
    return {
      ...{ epoch, offset, seq, bornAfterSeq, publications, state },
      evictedSeq: this.#evictedSeq(head, publications) ?? evictedSeq,
    };
  }

  // ---- within a transaction

  nextSeq(): number {
    return ++this.#seq;
  }

  /** Before the first publication: the identity of the numbering of commits. */
  putEngine(): void {
    if (this.#isEngineStored) return;
    this.#isEngineStored = true;
    this.store.put(engineKey, this.#writer.engine(this.#engine));
  }

  putPublication(head: Head, publication: StoredPublication): void {
    const record = this.#writer.publication(publication);
    this.store.put(offsetKey('publication', head.number, publication.offset), record);
    head.bytes += publication.bytes;
    this.bytes += publication.bytes;
    if (head.mode === 'state') this.#putValue(head, publication, record);
  }

  #putValue({ number }: Head, { key: name = '', removed }: StoredPublication, record: Buffer): void {
    const key = stateKey(number, name);
    if (removed === true) this.store.remove(key);
    else this.store.put(key, record);
  }

  /** Of a topic that was a stream: the newest publication per key of those that it holds. */
  putState(head: Head): void {
    for (const { key, value } of this.store.entries(topicRange('publication', head.number))) {
      const publication = decodePublication(head.name, value);
      if (offsetOfKey(key) <= head.reach) continue;
      this.#putValue(head, publication, value);
    }
    this.putHead(head);
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

  /** Keeps the numbering only. What the topic had is deleted later, step by step. */
  putIdle({ name, number }: Head): void {
    const idle = this.#idle.get(name);
    if (idle !== undefined) this.store.put(headKey(name), this.#writer.head(idle));
    this.store.put(goneKey(number), Buffer.of(1));
    this.gone.push(number);
    this.#dropNumberings();
  }

  // ---- private

  #head(name: string, record: HeadRecord): Head {
    const retention = this.#retention(name);
    return {
      ...record,
      name,
      retention,
      isIdle: false,
      mode: retention.mode,
      oldestMs: Number.NaN,
      messageIds: undefined,
      messageIdsReach: 0,
      storesMessageIds: false,
    };
  }

  #newHead(): HeadRecord {
    return {
      number: this.#nextNumber++,
      epoch: randomBytes(6).toString('base64url'),
      mode: 'stream',
      offset: 0,
      seq: 0,
      reach: 0,
      evictedSeq: 0,
      bornAfterSeq: this.forgottenSeq,
      isIdle: false,
      bytes: 0,
      touchedMs: 0,
    };
  }

  /** Of what the store still has and retention no longer lets a ring have. */
  #evictedSeq(
    { number, offset, reach }: Head,
    publications: readonly StoredPublication[],
  ): number | undefined {
    const first = publications[0]?.offset ?? offset + 1;
    if (first - 1 <= reach) return undefined;
    const record = this.store.get(offsetKey('publication', number, first - 1));
    return record === undefined ? undefined : publicationFacts(record).seq;
  }

  #dropNumberings(): void {
    let { forgottenSeq } = this.#engine;
    while (this.#idle.size > this.#numberingsMax) {
      const { key: name, value } = this.#idle.oldest as { key: string; value: Idle };
      this.#idle.delete(name);
      if (this.#heads.has(name)) continue;
      this.store.remove(headKey(name));
      forgottenSeq = Math.max(forgottenSeq, value.seq);
    }
    if (forgottenSeq === this.#engine.forgottenSeq) return;
    this.#engine = { ...this.#engine, forgottenSeq };
    this.store.put(engineKey, this.#writer.engine(this.#engine));
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

function headOf({ file }: Store, key: Uint8Array, value: Uint8Array): HeadRecord {
  try {
    return decodeHead(value);
  } catch (error) {
    throw inTopic(error, file, nameOfHeadKey(key));
  }
}

/** Damage says which file it is in and which topic is concerned. */
function inTopic(error: unknown, file: string, topic: string): unknown {
  if (!isDamage(error)) return error;
  return damagedData(file, `topic ${topic}: ${error.message}`, error);
}
