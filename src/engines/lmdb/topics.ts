import type { Position, PublishFields } from '../../protocol/frames.ts';
import type { Numbering, StoredTopic } from '../../topics/engine.ts';
import { MessageIds } from '../../topics/idempotency.ts';
import { IdleTopics } from '../../topics/idle-topics.ts';
import { MessageIdBudget, type MessageIdLimits } from '../../topics/message-id-budget.ts';
import type { StoredPublication } from '../../topics/publication.ts';
import { idleRecord, newEpoch, newHeadRecord, type Retention, type TopicHead, topicHeadOf } from './head.ts';
import {
  engineKey,
  goneKey,
  headKey,
  kindRange,
  nameOfHeadKey,
  offsetKey,
  offsetOfKey,
  stateKey,
  topicNumberOf,
  topicRange,
} from './keys.ts';
import {
  decodeEngine,
  decodeHead,
  decodeMessageId,
  decodePublication,
  type EngineRecord,
  type HeadRecord,
  type MessageIdRecord,
  type PublicationFacts,
  publicationFacts,
  RecordWriter,
} from './records.ts';
import type { Store } from './store.ts';
import { namingTopic, readTopic } from './topic-reader.ts';

/**
 * The topics of a store, the longest idle first. Outside of a transaction it shows what is committed. If a transaction
 * fails, drop this object and the store, and read both again.
 */
export class Topics {
  readonly store: Store;
  readonly messageIdBudget: MessageIdBudget;
  readonly #retention: (topic: string) => Retention;
  readonly #heads = new Map<string, TopicHead>();
  readonly #idle: IdleTopics<HeadRecord>;
  #engine: EngineRecord;
  #isEngineStored: boolean;
  /** The newest commit. */
  #seq: number;
  readonly #writer = new RecordWriter();
  #nextNumber = 1;
  #bytes = 0;
  /** Numbers of forgotten topics that still have records. */
  readonly gone: number[];
  /** Topics that left state mode and still have a stored state. */
  readonly staleStates: TopicHead[] = [];
  /** Topics that entered state mode, whose state has not been made from their publications yet. */
  readonly missingStates: TopicHead[] = [];

  constructor(
    store: Store,
    retention: (topic: string) => Retention,
    numberingsMax?: number,
    messageIds?: MessageIdLimits,
  ) {
    this.store = store;
    this.#retention = retention;
    this.messageIdBudget = new MessageIdBudget(messageIds);
    this.#idle = new IdleTopics(numberingsMax);
    const engine = store.get(engineKey);
    this.#engine = engine === undefined ? { epoch: newEpoch(), forgottenSeq: 0 } : decodeEngine(engine);
    this.#isEngineStored = engine !== undefined;
    this.#seq = this.#engine.forgottenSeq;
    this.gone = store.keys(kindRange('gone')).map(topicNumberOf);
    for (const number of this.gone) this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    this.#addAll(readHeads(store));
  }

  names(): string[] {
    return [...this.#heads.keys()];
  }

  heads(): IterableIterator<TopicHead> {
    return this.#heads.values();
  }

  find(name: string): TopicHead | undefined {
    return this.#heads.get(name);
  }

  /** Of all kept publications. */
  get bytes(): number {
    return this.#bytes;
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

  /** The numbering of a topic without content. */
  numbering(name: string): Numbering | undefined {
    return this.#idle.get(name);
  }

  numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    return this.#idle.numberings(afterSeq);
  }

  /** The topic, in a new epoch if nothing is known of it. Written with its first publication. */
  findOrMake(name: string): TopicHead {
    const existing = this.#heads.get(name);
    if (existing !== undefined) return existing;
    const record = this.#idle.get(name) ?? newHeadRecord(this.#nextNumber++, this.forgottenSeq);
    const head = topicHeadOf(name, record, this.#retention(name));
    head.messageIds = new MessageIds(this.messageIdBudget);
    this.#heads.set(name, head);
    return head;
  }

  /** Drops the content from this turn on, and keeps the numbering. `putIdle` stores that. */
  forget(head: TopicHead): void {
    this.#heads.delete(head.name);
    this.#bytes -= head.bytes;
    this.#idle.add(head.name, idleRecord(head, this.#nextNumber++), this.#seq);
  }

  /** The topic has content again. */
  told(name: string): void {
    this.#idle.delete(name);
  }

  messageIds(head: TopicHead, nowMs: number): MessageIds {
    if (head.messageIds !== undefined) return head.messageIds;
    head.messageIds = new MessageIds(this.messageIdBudget);
    for (const { key, value } of this.store.entries(topicRange('messageId', head.number))) {
      const { messageId, digest, atMs, payer } = decodeMessageId(value);
      head.messageIds.restore(messageId, { offset: offsetOfKey(key), digest, atMs }, payer, nowMs);
      head.storesMessageIds = true;
    }
    return head.messageIds;
  }

  /**
   * Whether the newest publication of this key, in state mode, is at this position, including the current transaction.
   */
  isNewest({ topic, key }: PublishFields, { epoch, offset }: Position): boolean {
    const head = this.#heads.get(topic);
    if (head?.epoch !== epoch || head.mode !== 'state') return false;
    const record = this.store.get(stateKey(head.number, key ?? ''));
    return record !== undefined && publicationFacts(record).offset === offset;
  }

  read(head: TopicHead, nowMs: number): StoredTopic {
    return readTopic(this.store, head, nowMs);
  }

  // ---- within a transaction

  nextSeq(): number {
    return ++this.#seq;
  }

  /** Stores the identity of the numbering of commits, before anything that is numbered anew. */
  putEngine(): void {
    if (this.#isEngineStored) return;
    this.#isEngineStored = true;
    this.store.put(engineKey, this.#writer.engine(this.#engine));
  }

  putPublication(head: TopicHead, publication: StoredPublication): void {
    const record = this.#writer.publication(publication);
    this.store.put(offsetKey('publication', head.number, publication.offset), record);
    head.bytes += publication.bytes;
    this.#bytes += publication.bytes;
    if (head.mode === 'state') this.#putValue(head, publication, record);
  }

  /** Its record has this key; `facts`: undefined: there is none. The caller writes the head. */
  removeOldest(head: TopicHead, key: Buffer, facts: PublicationFacts | undefined): void {
    const { seq = head.seq, bytes = 0 } = facts ?? {};
    this.store.remove(key);
    head.reach++;
    head.evictedSeq = seq;
    head.bytes -= bytes;
    this.#bytes -= bytes;
  }

  #putValue({ number }: TopicHead, { key: name = '', removed }: StoredPublication, record: Buffer): void {
    const key = stateKey(number, name);
    if (removed === true) this.store.remove(key);
    else this.store.put(key, record);
  }

  /** Stores the state of a topic that was a stream: the newest of its publications per key. */
  putState(head: TopicHead): void {
    this.putEngine();
    // Of an earlier time as a state topic.
    for (const key of this.store.keys(topicRange('state', head.number))) this.store.remove(key);
    for (const { value } of this.store.entries(topicRange('publication', head.number)))
      this.#putValue(head, decodePublication(head.name, value), value);
    this.putHead(head);
  }

  putMessageId(head: TopicHead, offset: number, record: MessageIdRecord): void {
    head.storesMessageIds = true;
    this.store.put(offsetKey('messageId', head.number, offset), this.#writer.messageId(record));
  }

  putHead(head: TopicHead): void {
    this.store.put(headKey(head.name), this.#writer.head(head));
  }

  /** Makes the topic the most recently used one. */
  touch(head: TopicHead, nowMs: number): void {
    head.touchedAtMs = nowMs;
    this.#heads.delete(head.name);
    this.#heads.set(head.name, head);
  }

  /** Stores only the numbering. The topic's records are deleted later, step by step. */
  putIdle({ name, number }: TopicHead): void {
    const idle = this.#idle.get(name);
    if (idle !== undefined) this.store.put(headKey(name), this.#writer.head(idle));
    this.store.put(goneKey(number), Buffer.of(1));
    this.gone.push(number);
    this.#dropNumberings();
  }

  // ---- private

  #addAll(records: readonly NamedRecord[]): void {
    for (const { record } of records) {
      this.#seq = Math.max(this.#seq, record.seq);
      this.#nextNumber = Math.max(this.#nextNumber, record.number + 1);
    }
    for (const { name, record } of records) {
      if (record.isIdle) this.#idle.add(name, record, this.#seq);
      else this.#addHead(topicHeadOf(name, record, this.#retention(name)), record);
    }
  }

  #addHead(head: TopicHead, { mode }: HeadRecord): void {
    this.#heads.set(head.name, head);
    this.#bytes += head.bytes;
    if (mode === head.mode) return;
    this.#changesMode(head);
    if (head.mode === 'state') this.missingStates.push(head);
    else this.staleStates.push(head);
  }

  /**
   * What clients have had of the topic says nothing of what they lack in its new mode, so none continues from there:
   * neither by a position, nor by a cursor.
   */
  #changesMode(head: TopicHead): void {
    head.epoch = newEpoch();
    if (this.#isEngineStored) this.#engine = { ...this.#engine, epoch: newEpoch() };
    this.#isEngineStored = false;
  }

  #dropNumberings(): void {
    let { forgottenSeq } = this.#engine;
    for (const { name, seq } of this.#idle.dropSurplus()) {
      if (this.#heads.has(name)) continue;
      this.store.remove(headKey(name));
      forgottenSeq = Math.max(forgottenSeq, seq);
    }
    if (forgottenSeq === this.#engine.forgottenSeq) return;
    this.#engine = { ...this.#engine, forgottenSeq };
    this.store.put(engineKey, this.#writer.engine(this.#engine));
  }
}

interface NamedRecord {
  readonly name: string;
  readonly record: HeadRecord;
}

/** The longest idle first. */
function readHeads(store: Store): NamedRecord[] {
  const records: NamedRecord[] = [];
  for (const { key, value } of store.entries(kindRange('head'))) {
    const name = nameOfHeadKey(key);
    records.push({ name, record: namingTopic(store, name, () => decodeHead(value)) });
  }
  return records.sort((a, b) => a.record.touchedAtMs - b.record.touchedAtMs);
}
