import { protobufCodec } from '../protocol/protobuf/codec.ts';
import type { BesideFields } from '../protocol/publication.ts';
import type { StoredTopic } from '../topics/engine.ts';
import { StoredPublication } from '../topics/publication.ts';
import { fromMachineMs, toMachineMs } from './machine-clock.ts';

const nothing = Buffer.alloc(0);

/** A stored publication in the form that a worker is told: its encoding, and what the encoding does not hold. */
export type PackedPublication = readonly [
  encoded: Uint8Array,
  seq: number,
  publishedAtMs: number,
  /** On the machine's clock; 0: its delivery is not timed. */
  acceptedAtMs: number,
  apart: BesideFields | undefined,
];

export type PackedTopic = Omit<StoredTopic, 'publications' | 'state'> & {
  readonly publications: readonly PackedPublication[];
  readonly state: readonly PackedPublication[];
};

/** What was appended to one topic. */
export interface Appended {
  readonly topic: string;
  readonly epoch: string;
  readonly publications: readonly StoredPublication[];
}

/** The head of a publication: three doubles, and the length of what its encoding does not hold. */
const recordHeadBytes = 28;

/**
 * Encodes commits of one topic, because structured clones of them would cost several times as much. Numbers are
 * little-endian. First the lengths of topic and epoch, two bytes each, and then both in ASCII. Then for each
 * publication: `seq`, both times, the lengths of `apart` and of the encoding, `apart` as JSON, and the encoding.
 */
export function packAppended(
  topic: string,
  epoch: string,
  publications: readonly StoredPublication[],
): Uint8Array {
  const records = publications.map((publication) => ({
    publication,
    encoded: publication.encoded(protobufCodec),
    apart: publication.apart === undefined ? nothing : Buffer.from(JSON.stringify(publication.apart)),
  }));
  const headBytes = 4 + topic.length + epoch.length;
  const bytes = Buffer.allocUnsafe(
    records.reduce(
      (sum, { apart, encoded }) => sum + recordHeadBytes + 4 + apart.length + encoded.length,
      headBytes,
    ),
  );
  bytes.writeUInt16LE(topic.length, 0);
  bytes.writeUInt16LE(epoch.length, 2);
  bytes.write(topic, 4, 'latin1');
  bytes.write(epoch, 4 + topic.length, 'latin1');
  let at = headBytes;
  for (const { publication, encoded, apart } of records) {
    const { seq, publishedAtMs, acceptedAtMs } = publication;
    bytes.writeDoubleLE(seq, at);
    bytes.writeDoubleLE(publishedAtMs, at + 8);
    bytes.writeDoubleLE(acceptedAtMs === 0 ? 0 : toMachineMs(acceptedAtMs), at + 16);
    bytes.writeUInt32LE(apart.length, at + 24);
    bytes.writeUInt32LE(encoded.length, at + recordHeadBytes);
    at += recordHeadBytes + 4;
    bytes.set(apart, at);
    bytes.set(encoded, at + apart.length);
    at += apart.length + encoded.length;
  }
  return bytes;
}

/** The bytes of the publications are views of `packed`. */
export function unpackAppended(packed: Uint8Array): Appended {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const epochAt = 4 + bytes.readUInt16LE(0);
  let at = epochAt + bytes.readUInt16LE(2);
  const topic = bytes.toString('latin1', 4, epochAt);
  const epoch = bytes.toString('latin1', epochAt, at);
  const publications: StoredPublication[] = [];
  while (at < bytes.length) {
    const acceptedAtMs = bytes.readDoubleLE(at + 16);
    const apartAt = at + recordHeadBytes + 4;
    const encodedAt = apartAt + bytes.readUInt32LE(at + 24);
    const end = encodedAt + bytes.readUInt32LE(at + recordHeadBytes);
    publications.push(
      StoredPublication.decoded(
        topic,
        new Uint8Array(bytes.buffer, bytes.byteOffset + encodedAt, end - encodedAt),
        bytes.readDoubleLE(at),
        bytes.readDoubleLE(at + 8),
        encodedAt === apartAt
          ? undefined
          : (JSON.parse(bytes.toString('utf8', apartAt, encodedAt)) as BesideFields),
        acceptedAtMs === 0 ? 0 : fromMachineMs(acceptedAtMs),
      ),
    );
    at = end;
  }
  return { topic, epoch, publications };
}

function pack(publication: StoredPublication): PackedPublication {
  const { seq, publishedAtMs, acceptedAtMs, apart } = publication;
  return [
    publication.encoded(protobufCodec),
    seq,
    publishedAtMs,
    acceptedAtMs === 0 ? 0 : toMachineMs(acceptedAtMs),
    apart,
  ];
}

function unpack(
  topic: string,
  [encoded, seq, publishedAtMs, acceptedAtMs, apart]: PackedPublication,
): StoredPublication {
  const atMs = acceptedAtMs === 0 ? 0 : fromMachineMs(acceptedAtMs);
  return StoredPublication.decoded(topic, encoded, seq, publishedAtMs, apart, atMs);
}

export function packTopic({ publications, state, ...numbering }: StoredTopic): PackedTopic {
  return { ...numbering, publications: publications.map(pack), state: state.map(pack) };
}

export function unpackTopic(name: string, { publications, state, ...numbering }: PackedTopic): StoredTopic {
  const unpackAll = (packed: readonly PackedPublication[]) => packed.map((each) => unpack(name, each));
  return { ...numbering, publications: unpackAll(publications), state: unpackAll(state) };
}
