import { codecs } from '../../src/protocol/codecs.ts';
import { expandBatch } from '../../src/protocol/compression.ts';
import type { OffsetRange, ServerKinds } from '../../src/protocol/frames.ts';
import { stampOf } from './payload.ts';

/** How a receiver reads what a server sends, as little of it as it needs. */
export interface Dialect {
  readonly subprotocol?: string;
  /** How much of each payload `covered` looks at. */
  readonly countingBytes: number;
  /** The messages that open a connection, besides the handshake. */
  subscribe(topics: readonly string[]): readonly { readonly opcode: number; readonly payload: Uint8Array }[];
  /** Whether it is the answer to `subscribe`. */
  isReply(bytes: Buffer, start: number, end: number): boolean;
  /** What of its topic a message covers; undefined: it is no batch. */
  covered(bytes: Buffer, start: number, end: number, length: number): OffsetRange | number | undefined;
  /** When each publication of a whole message was made. */
  stamps(message: Buffer): number[];
}

const subscribeId = 1;

function subscribeFrame(codec: (typeof codecs)['json'], topics: readonly string[]) {
  const payload = codec.encodeClientFrame({
    kind: 'subscribe',
    id: subscribeId,
    subscriptions: topics.map((topic) => ({ topic })),
  });
  return [{ opcode: codec.binary ? 2 : 1, payload }];
}

function batchStamps(codec: (typeof codecs)['json'], message: Buffer): number[] {
  const decoded = codec.decodeServerFrame(message);
  if (!decoded.ok) throw new Error(`the gateway sent what is no frame: ${decoded.message}`);
  if (decoded.frame.kind !== 'batch') return [];
  return plain(decoded.frame).map(({ payload }) => stampOf(payload.bytes));
}

/** The publications of a batch, inflated where need be. */
function plain(batch: ServerKinds['batch']): ServerKinds['batch']['publications'] {
  if (batch.compressed === undefined) return batch.publications;
  const expanded = expandBatch(batch, new Map());
  if (!expanded.ok) throw new Error('a compressed batch does not check');
  return expanded.publications;
}

/** ServerFrame.batch, with an id of 0, which is not written. */
const batchTag = 13 * 8 + 2;
const fieldAfter = 4 * 8;
const fieldUpto = 5 * 8;

const protobuf: Dialect = {
  subprotocol: codecs.protobuf.subprotocol,
  countingBytes: 48,
  subscribe: (topics) => subscribeFrame(codecs.protobuf, topics),
  isReply: (bytes, start) => bytes[start] === 8 && bytes[start + 1] === subscribeId,
  covered(bytes, start, end) {
    if (bytes[start] !== batchTag) return undefined;
    let at = start + 1;
    while (bytes[at++]! >= 0x80);
    let after = 0;
    while (at < end) {
      const tag = bytes[at++]!;
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++]!;
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) break;
      }
      if (tag === fieldAfter) after = value;
      else if (tag === fieldUpto) return { after, upto: value };
      else if ((tag & 7) === 2) at += value;
    }
    return undefined;
  },
  stamps: (message) => batchStamps(codecs.protobuf, message),
};

const json: Dialect = {
  subprotocol: codecs.json.subprotocol,
  countingBytes: Number.POSITIVE_INFINITY,
  subscribe: (topics) => subscribeFrame(codecs.json, topics),
  isReply: (bytes, start, end) => bytes.toString('latin1', start, end).includes(`"id":${subscribeId}`),
  covered(bytes, start, end) {
    // {"type":"batch" … "after":6,"upto":9 …, or one flat publication that ends in … "offset":7,"view":1}.
    const head = bytes.toString('latin1', start, Math.min(end, start + 300));
    const batch = head.startsWith('{"type":"batch"') ? /"after":(\d+),"upto":(\d+)/.exec(head) : null;
    if (batch !== null) return { after: Number(batch[1]), upto: Number(batch[2]) };
    const tail = bytes.toString('latin1', Math.max(start, end - 80), end);
    const offset = Number(/"offset":(\d+),"view":\d+\}$/.exec(tail)?.[1] ?? 0);
    return offset === 0 ? undefined : { after: offset - 1, upto: offset };
  },
  stamps: (message) => batchStamps(codecs.json, message),
};

/** Messages of `messageBytes` each, one or many to a frame; subscribed by connecting; answered by `ready`. */
function rawDialect(messageBytes: number): Dialect {
  const ready = 'ready';
  return {
    countingBytes: ready.length,
    subscribe: () => [],
    isReply: (bytes, start, end) => bytes.toString('latin1', start, end) === ready,
    covered: (_bytes, _start, _end, length) =>
      length % messageBytes === 0 ? length / messageBytes : undefined,
    stamps(message) {
      const stamps: number[] = [];
      for (let at = 0; at + messageBytes <= message.length; at += messageBytes)
        stamps.push(stampOf(message, at));
      return stamps;
    },
  };
}

export const gatewayDialects = { protobuf, json } as const;
export type DialectName = keyof typeof gatewayDialects | 'raw';

export function dialectOf(name: DialectName, messageBytes: number): Dialect {
  return name === 'raw' ? rawDialect(messageBytes) : gatewayDialects[name];
}
