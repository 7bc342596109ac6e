import { type ClientFrame, type CommandKind, readClientFrame } from '../client-frames.ts';
import type { Codec } from '../codec.ts';
import type { Decoded, Dialect, Raw } from '../fields.ts';
import type { BatchHeader, CompressedBody, HistoryHeader, Publication, SnapshotHeader } from '../frames.ts';
import type { ServerFrame } from '../server-frames.ts';
import { Slabs } from '../slabs.ts';
import { toWellFormed } from '../utf8.ts';
import { lengthTag, writePublication } from './publication-bytes.ts';
import { fromClient, Reader, toClient, Writer } from './schema.ts';
import { varintLength, writeVarint } from './varint.ts';
import { batchHeaderToWire, listedToWire, operatorName, resultToWire, serverFrameToWire } from './wire.ts';

/** `sluice.v1.protobuf`: one frame of `proto/gateway.proto` per binary message. */
export const protobufCodec: Codec & Required<Pick<Codec, 'frameCompressedBatch'>> = {
  name: 'protobuf',
  subprotocol: 'sluice.v1.protobuf',
  binary: true,
  comparesOffsets: true,
  decodeClientFrame,
  peekId: readableId,
  encodeServerFrame,
  encodePublication,
  frameBatch,
  frameSnapshot,
  frameHistory,
  frameCompressedBatch,
};

/** A buffer that was needed once for something larger is not kept. */
const scratchMaxBytes = 65_536;

/**
 * Writes into one buffer again and again, and copies what it wrote to an array of its own, at its exact size. The
 * writers of protobufjs cut small messages from shared slabs of 8 KiB, and a new one allocates thrice.
 */
class ScratchWriter extends Writer {
  static override alloc(size: number): Uint8Array {
    return new Uint8Array(size);
  }

  // protobufjs would write half a character as it is, and no receiver could read the batch.
  override string(value: string): this {
    super.string(toWellFormed(value));
    return this;
  }

  // protobufjs makes an object of each; here nearly all are safe integers. A negative one is left to it: that arrives
  // as one above 2^53-1, and is refused.
  override uint64(value: number): this {
    if (!(value >= 0 && Number.isSafeInteger(value))) {
      super.uint64(value);
      return this;
    }
    if (value < 0x1_0000_0000) {
      this.uint32(value);
      return this;
    }
    // Seven bits a byte: four bytes that say that more follows, a fifth that is written over, and the rest.
    this.uint32(0x1000_0000 + (value % 0x1000_0000));
    this.pos--;
    this.uint32(Math.floor(value / 0x1000_0000));
    return this;
  }

  /** Also after an encoding that threw. */
  begin(): this {
    if (this.buf.length > scratchMaxBytes) {
      this.buf = ScratchWriter.alloc(Writer.initialBufferSize);
      this.view = null;
    }
    this.pos = 0;
    if (this.states !== null && this.states.length > 0) this.states = null;
    return this;
  }

  /** What was written, until the next `begin`. */
  written(): Uint8Array {
    return this.buf.subarray(0, this.pos);
  }
}

const scratch = new ScratchWriter();

/** Frames of publications live for a turn or two: a slab of them is soon free. */
const frameSlabs = new Slabs(16_384);
/** Encoded publications live until the slowest view has sent them. */
const publicationSlabs = new Slabs(4096);

export const protobufDialect: Dialect = {
  eventMember: 'type',
  instant: (raw, name) => {
    const value = raw[name] ?? null;
    return typeof value === 'number' || value === null ? value : undefined;
  },
  payload: (raw) => {
    const { json, binary } = raw;
    if (json instanceof Uint8Array) return { format: 'json', bytes: json };
    return binary instanceof Uint8Array ? { format: 'binary', bytes: binary } : null;
  },
  operator: (value) => operatorName(value),
};

// ---- decoding ----

const malformed = {
  ok: false,
  code: 'invalid_frame',
  message: 'the message is not a protobuf frame',
} as const;

/**
 * Fields of a message of a client, those of its entries included: as many as a message of the largest size has where
 * its entries are not nearly empty. A quarter of a million empty entries, of two bytes each, would take 50 MB.
 */
const clientFieldsMax = 60_000;
const tooManyFields = {
  ok: false,
  code: 'invalid_frame',
  message: `a message has at most ${clientFieldsMax} fields`,
} as const;

/** Reads a number of fields, and throws itself where there are more. */
class LimitedReader extends Reader {
  #left = clientFieldsMax;

  override tag(): number {
    if (--this.#left < 0) throw this;
    return super.tag();
  }
}

function decodeClientFrame(message: Uint8Array): Decoded<ClientFrame> {
  const frame = new ReceivedCommand();
  const reader = message.length > clientFieldsMax ? new LimitedReader(message) : new Reader(message);
  try {
    decodeInto(reader, undefined, undefined, 0, frame);
  } catch (error) {
    return { ...(error === reader ? tooManyFields : malformed), id: readableId(message) };
  }
  // An id of 0 that is written out deletes the member.
  const { id = 0, command } = frame;
  if (command === undefined) return { ok: false, id, code: 'unknown_command', message: 'unknown command' };
  return readClientFrame(command, id, frame[command] as Raw, protobufDialect);
}

/**
 * A ClientFrame with `command` as a member. The accessor of the generated class deletes all other commands when it is
 * set, and looks for the one that is there when it is read: a microsecond for each command (`bench -- storm`).
 */
class ReceivedCommand {
  id: number | undefined = 0;
  /** The last one that the message has. */
  command: CommandKind | undefined;
  [kind: string]: unknown;
}

const decodeInto = fromClient.ClientFrame.decode as (
  reader: InstanceType<typeof Reader>,
  length: undefined,
  end: undefined,
  depth: number,
  target: ReceivedCommand,
) => unknown;

/** The id of a frame that can't be decoded, or is not to be: writers put it first. */
function readableId(message: Uint8Array): number {
  if (message[0] !== 8) return 0;
  try {
    return new Reader(message.subarray(1)).uint32();
  } catch {
    return 0;
  }
}

// ---- encoding ----

function encodeServerFrame(frame: ServerFrame): Uint8Array {
  const writer = scratch.begin();
  if (frame.kind === 'subscribed') writeSubscribed(frame, writer);
  else toClient.ServerFrame.encode(serverFrameToWire(frame), writer);
  return writer.finish();
}

/**
 * A ServerFrame by hand: a result may list a thousand topics, of which the generated encoder needs copies (`bench --
 * siege`).
 */
function writeSubscribed(
  { id, results }: Extract<ServerFrame, { kind: 'subscribed' }>,
  writer: ScratchWriter,
): void {
  if (id !== 0) writer.uint32(8).uint32(id);
  writer.uint32(lengthTag(kindFields.subscribed)).fork();
  for (const result of results) {
    toClient.SubscribeResult.encode(resultToWire(result), writer.uint32(lengthTag(1)).fork());
    if (!('error' in result))
      for (const topic of result.topics ?? [])
        toClient.TopicResult.encode(listedToWire(topic), writer.uint32(lengthTag(9)).fork()).ldelim();
    writer.ldelim();
  }
  writer.ldelim();
}

/** It is part of a slab of many: keep a copy if it is kept for long. */
function encodePublication(_topic: string, publication: Publication): Uint8Array {
  return writePublication(publication, (length) => publicationSlabs.take(length));
}

function frameBatch(_topic: string, header: BatchHeader, publications: readonly Uint8Array[]): Uint8Array {
  toClient.Batch.encode(batchHeaderToWire(header), scratch.begin());
  return frameRun(0, kindFields.batch, scratch.written(), publications);
}

function frameSnapshot(header: SnapshotHeader, publications: readonly Uint8Array[]): Uint8Array {
  const { view, topic, epoch, offset, first, last, partial } = header;
  toClient.Snapshot.encode({ view, topic, epoch, offset, first, last, partial }, scratch.begin());
  return frameRun(0, kindFields.snapshot, scratch.written(), publications);
}

function frameHistory(id: number, header: HistoryHeader, publications: readonly Uint8Array[]): Uint8Array {
  const { topic, epoch, after, upto, more, missing } = header;
  toClient.HistoryPage.encode({ topic, epoch, after, upto, more, missing }, scratch.begin());
  return frameRun(id, kindFields.history, scratch.written(), publications);
}

/** The numbers of fields of ServerFrame. */
const kindFields = { subscribed: 3, history: 6, batch: 13, snapshot: 15 } as const;

/**
 * A ServerFrame by hand: the kind's other fields, then its publications. One allocation, one copy of each; a third of
 * the time that protobufjs takes for ten publications (its writer links an operation per field).
 */
function frameRun(
  id: number,
  kindField: number,
  fields: Uint8Array,
  publications: readonly Uint8Array[],
): Uint8Array {
  let length = fields.length;
  for (const publication of publications) length += publication.length;
  const idLength = id === 0 ? 0 : 1 + varintLength(id);
  const bytes = frameSlabs.take(idLength + 1 + varintLength(length) + length);
  let at = 0;
  if (id !== 0) {
    bytes[at++] = 8;
    at = writeVarint(bytes, at, id);
  }
  bytes[at++] = lengthTag(kindField);
  at = writeVarint(bytes, at, length);
  bytes.set(fields, at);
  at += fields.length;
  for (const publication of publications) {
    bytes.set(publication, at);
    at += publication.length;
  }
  return bytes;
}

function frameCompressedBatch(header: BatchHeader, body: CompressedBody): Uint8Array {
  const { deflate, plainBytes, crc32, dictionary } = body;
  const batch = { ...batchHeaderToWire(header), deflate, plainBytes, crc32, dictionary };
  return toClient.ServerFrame.encode({ batch }, scratch.begin()).finish();
}
