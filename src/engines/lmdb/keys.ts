/**
 * The keys of the store. The first byte is the kind; numbers are big-endian, so that the order of keys is the order of
 * offsets and the tail of a topic is one range. A topic's records carry its number, not its name: a topic that begins
 * anew takes a new number, and the records of the old number can be deleted later, step by step.
 */
const kinds = {
  /** `h` name -> head */
  head: 0x68,
  /** `p` number offset -> publication */
  publication: 0x70,
  /** `s` number key -> the newest publication of that key */
  state: 0x73,
  /** `i` number offset -> message id */
  messageId: 0x69,
  /** `g` number -> nothing: a forgotten topic that still has records */
  gone: 0x67,
  /** `a` user 0 topic -> up to where clients of the user have had the topic */
  acknowledged: 0x61,
  /** `e` -> the engine itself */
  engine: 0x65,
  /** `w` -> proof that the store can be written */
  written: 0x77,
} as const;

export type TopicKind = 'publication' | 'state' | 'messageId';
export type StoredKind = TopicKind | 'head' | 'gone' | 'acknowledged';

const numberBytes = 6;
const offsetBytes = 8;

export const engineKey = Buffer.of(kinds.engine);
export const writtenKey = Buffer.of(kinds.written);

export function headKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(kinds.head), Buffer.from(name)]);
}

export function nameOfHeadKey(key: Uint8Array): string {
  return Buffer.from(key).toString('utf8', 1);
}

export function acknowledgedKey(topic: string, user: string): Buffer {
  return Buffer.concat([Buffer.of(kinds.acknowledged), Buffer.from(`${user}\0${topic}`)]);
}

export function ofAcknowledgedKey(key: Uint8Array): { readonly topic: string; readonly user: string } {
  const text = Buffer.from(key).toString('utf8', 1);
  // Topics have no NUL.
  const end = text.lastIndexOf('\0');
  return { user: text.slice(0, end), topic: text.slice(end + 1) };
}

export function goneKey(topicNumber: number): Buffer {
  return prefix(kinds.gone, topicNumber, 0);
}

export function offsetKey(kind: 'publication' | 'messageId', topicNumber: number, offset: number): Buffer {
  const key = prefix(kinds[kind], topicNumber, offsetBytes);
  key.writeUInt32BE(Math.floor(offset / 2 ** 32), 1 + numberBytes);
  key.writeUInt32BE(offset % 2 ** 32, 5 + numberBytes);
  return key;
}

export function offsetOfKey(key: Uint8Array): number {
  const bytes = Buffer.from(key);
  return bytes.readUInt32BE(1 + numberBytes) * 2 ** 32 + bytes.readUInt32BE(5 + numberBytes);
}

export function stateKey(topicNumber: number, key: string): Buffer {
  return Buffer.concat([prefix(kinds.state, topicNumber, 0), Buffer.from(key)]);
}

/** Returns the number of a topic from the key of one of its records, or of its `g`. */
export function topicNumberOf(key: Uint8Array): number {
  return Buffer.from(key).readUIntBE(1, numberBytes);
}

/** All keys of one kind: from `start` to `end`, exclusive. */
export function kindRange(kind: StoredKind): { start: Buffer; end: Buffer } {
  return { start: Buffer.of(kinds[kind]), end: Buffer.of(kinds[kind] + 1) };
}

/** All keys of one kind of one topic. */
export function topicRange(kind: TopicKind, topicNumber: number): { start: Buffer; end: Buffer } {
  return { start: prefix(kinds[kind], topicNumber, 0), end: prefix(kinds[kind], topicNumber + 1, 0) };
}

function prefix(kind: number, topicNumber: number, more: number): Buffer {
  const key = Buffer.allocUnsafe(1 + numberBytes + more);
  key[0] = kind;
  key.writeUIntBE(topicNumber, 1, numberBytes);
  return key;
}
