import {
  engineKey,
  goneKey,
  kindRange,
  nameOfHeadKey,
  ofAcknowledgedKey,
  offsetOfKey,
  type StoredKind,
  topicNumberOf,
} from './keys.ts';
import {
  decodeAcknowledged,
  decodeEngine,
  decodeHead,
  decodeMessageId,
  decodePublication,
  type HeadRecord,
} from './records.ts';
import type { Store } from './store.ts';

/** One topic, while its records are read. */
interface CheckedTopic {
  readonly name: string;
  readonly head: HeadRecord;
  /** The last publication that was read. */
  newest: number;
}

/** Returns the fault of the first damaged or missing record, with its topic; undefined: the store is undamaged. */
export function recordFault(store: Store): string | undefined {
  const topics = new Map<number, CheckedTopic>();
  const topicOf = (key: Uint8Array) => {
    const number = topicNumberOf(key);
    const topic = topics.get(number);
    if (topic === undefined && store.get(goneKey(number)) === undefined)
      throw new Error('a record belongs to no topic');
    return topic;
  };
  const nameOf = (key: Uint8Array) => `topic ${topics.get(topicNumberOf(key))?.name ?? 'unknown'}`;
  return (
    firstFault(
      store,
      'head',
      (key) => `topic ${nameOfHeadKey(key)}`,
      (key, value) => {
        const head = decodeHead(value);
        topics.set(head.number, { name: nameOfHeadKey(key), head, newest: head.reach });
      },
    ) ??
    firstFault(store, 'publication', nameOf, (key, value) => {
      const topic = topicOf(key);
      const { offset } = decodePublication(topic?.name ?? '', value);
      if (offset !== offsetOfKey(key)) throw new Error('a record is under another offset');
      if (topic === undefined) return;
      if (offset !== topic.newest + 1) throw new Error(`offset ${topic.newest + 1} is missing`);
      topic.newest = offset;
    }) ??
    firstFault(store, 'state', nameOf, (key, value) => {
      decodePublication(topicOf(key)?.name ?? '', value);
    }) ??
    firstFault(store, 'messageId', nameOf, (key, value) => {
      topicOf(key);
      decodeMessageId(value);
    }) ??
    firstFault(
      store,
      'acknowledged',
      (key) => `user ${ofAcknowledgedKey(key).user}`,
      (_, value) => {
        decodeAcknowledged(value);
      },
    ) ??
    missingOf(topics.values()) ??
    engineFault(store)
  );
}

function firstFault(
  store: Store,
  kind: StoredKind,
  whose: (key: Uint8Array) => string,
  look: (key: Uint8Array, value: Uint8Array) => void,
): string | undefined {
  let before: Buffer | undefined;
  for (const { key, value } of store.entries(kindRange(kind))) {
    try {
      if (before !== undefined && Buffer.compare(before, key) >= 0) throw new Error('keys are out of order');
      before = Buffer.from(key);
      look(key, value);
    } catch (error) {
      return `${kind} of ${whose(key)}: ${messageOf(error)}`;
    }
  }
  return undefined;
}

function missingOf(topics: Iterable<CheckedTopic>): string | undefined {
  for (const { name, head, newest } of topics)
    if (newest !== head.offset) return `publication of topic ${name}: offset ${newest + 1} is missing`;
  return undefined;
}

function engineFault(store: Store): string | undefined {
  const record = store.get(engineKey);
  try {
    if (record !== undefined) decodeEngine(record);
  } catch (error) {
    return `the engine itself: ${messageOf(error)}`;
  }
  return undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
