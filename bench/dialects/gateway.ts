import type { ClientFrame } from '../../src/protocol/client-frames.ts';
import { codecs } from '../../test/support/codecs.ts';
import { Expander } from '../../test/support/expander.ts';
import { stampOf, stampsIn } from '../support/payload.ts';
import { opcodes } from '../support/raw-client.ts';
import type { ClientMessage, Coverage, Dialect, Opening } from './dialect.ts';

type Codec = (typeof codecs)['json'];

const connectId = 2;
const subscribeId = 1;

/** As the SDK does: `connect` with its token and capabilities, then `subscribe`. */
function open(codec: Codec, { topics, subscription, token }: Opening): readonly ClientMessage[] {
  const frames: ClientFrame[] = [];
  if (codec.binary) frames.push({ kind: 'connect', id: connectId, token, capabilities: ['dictionary'] });
  if (topics.length > 0) {
    const subscriptions = topics.map((topic) => ({ topic, ...subscription }));
    frames.push({ kind: 'subscribe', id: subscribeId, subscriptions });
  }
  return frames.map((frame) => messageOf(codec, frame));
}

function messageOf(codec: Codec, frame: ClientFrame): ClientMessage {
  return { opcode: codec.binary ? opcodes.binary : opcodes.text, payload: codec.encodeClientFrame(frame) };
}

/**
 * The reader of one connection, which gets each dictionary before the batches that use it. Plain payloads are read
 * where they are, as those of other servers: to decode them takes time in which further messages wait.
 */
function reader(codec: Codec, read: ReadBatches): (message: Buffer) => readonly number[] {
  const expander = new Expander();
  return (message) => {
    const plain = codec.binary && message[0] !== batchTag ? [] : stampsIn(message);
    if (plain.length > 0) return plain;
    const known = read.find(message);
    if (known !== undefined) return known;
    // Converted, because `slice` of a Buffer makes no copy: the dictionary would change with the next message.
    const bytes = new Uint8Array(message.buffer, message.byteOffset, message.length);
    const decoded = codec.decodeServerFrame(bytes);
    if (!decoded.ok) throw new Error(`the gateway sent a malformed frame: ${decoded.message}`);
    const frame = expander.take(decoded.frame);
    if (frame.kind !== 'batch') return [];
    const stamps = frame.publications.map(({ payload }) => stampOf(payload.bytes));
    read.add(message, stamps);
    return stamps;
  };
}

/** The newest batches with their stamps. A view sends all its probes the same bytes, so each batch is inflated once. */
class ReadBatches {
  readonly #batches: { readonly message: Buffer; readonly stamps: readonly number[] }[] = [];

  find(message: Buffer): readonly number[] | undefined {
    return this.#batches.findLast((batch) => batch.message.equals(message))?.stamps;
  }

  add(message: Buffer, stamps: readonly number[]): void {
    this.#batches.push({ message: Buffer.from(message), stamps });
    if (this.#batches.length > readBatchesMax) this.#batches.shift();
  }
}

const readBatchesMax = 16;
const readBatches = { protobuf: new ReadBatches(), json: new ReadBatches() } as const;

function missedOf(codec: Codec, bytes: Buffer, start: number, end: number): Coverage | undefined {
  const decoded = codec.decodeServerFrame(new Uint8Array(bytes.subarray(start, end)));
  return decoded.ok && decoded.frame.kind === 'caughtUp' ? decoded.frame.missing : undefined;
}

/** ServerFrame.batch, with an id of 0, which is not written. */
const batchTag = 13 * 8 + 2;
const fieldAfter = 4 * 8;
const fieldUpto = 5 * 8;

const protobuf: Dialect = {
  subprotocol: codecs.protobuf.subprotocol,
  countingBytes: 64,
  open: (opening) => open(codecs.protobuf, opening),
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
      else if (tag > fieldUpto) break;
      else if ((tag & 7) === 2) at += value;
    }
    // A batch without `upto` covers one offset.
    return { after, upto: after + 1 };
  },
  missed: (...message) => missedOf(codecs.protobuf, ...message),
  reader: () => reader(codecs.protobuf, readBatches.protobuf),
  heartbeat: () => messageOf(codecs.protobuf, { kind: 'ping', id: 0, roundTripMs: 1 }),
};

const jsonBatch = Buffer.from('{"type":"batch"');
const jsonAfter = Buffer.from('"after":');
const jsonUpto = Buffer.from('"upto":');
const jsonOffset = Buffer.from('"offset":');
const jsonView = Buffer.from('"view":');
const jsonTailBytes = 80;

function digitsAt(bytes: Buffer, from: number): number {
  let value = 0;
  for (let at = from; bytes[at]! >= 48 && bytes[at]! <= 57; at++) value = value * 10 + bytes[at]! - 48;
  return value;
}

const json: Dialect = {
  subprotocol: codecs.json.subprotocol,
  countingBytes: Number.POSITIVE_INFINITY,
  open: (opening) => open(codecs.json, opening),
  isReply: (bytes, start, end) => bytes.toString('latin1', start, end).includes(`"id":${subscribeId}`),
  covered(bytes, start, end) {
    // {"type":"batch" … "after":6,"upto":9 …, or one flat publication that ends in … "offset":7,"view":1}.
    if (bytes.compare(jsonBatch, 0, jsonBatch.length, start, start + jsonBatch.length) === 0) {
      const after = bytes.indexOf(jsonAfter, start) + jsonAfter.length;
      const upto = bytes.indexOf(jsonUpto, after) + jsonUpto.length;
      return { after: digitsAt(bytes, after), upto: digitsAt(bytes, upto) };
    }
    const tail = bytes.subarray(Math.max(start, end - jsonTailBytes), end);
    const at = tail.lastIndexOf(jsonOffset);
    if (at < 0 || tail.indexOf(jsonView, at) < 0) return undefined;
    const offset = digitsAt(tail, at + jsonOffset.length);
    return { after: offset - 1, upto: offset };
  },
  missed: (...message) => missedOf(codecs.json, ...message),
  reader: () => reader(codecs.json, readBatches.json),
  heartbeat: () => messageOf(codecs.json, { kind: 'ping', id: 0, roundTripMs: 1 }),
};

const streamBegin = Buffer.from('{"type":"subscribed"');

/** The frames of the JSON codec as events: the subscriptions are in the address. */
const sse: Dialect = {
  ...json,
  open: () => [],
  streamPath: ({ topics }) => `/sse?${topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&')}`,
  isReply: (bytes, start) =>
    bytes.compare(streamBegin, 0, streamBegin.length, start, start + streamBegin.length) === 0,
  heartbeat: undefined,
};

export const gatewayDialects = { protobuf, json, sse } as const;
