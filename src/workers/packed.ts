import { protobufCodec } from '../protocol/protobuf/codec.ts';
import type { BesideFields } from '../protocol/publication.ts';
import type { StoredTopic } from '../topics/engine.ts';
import { StoredPublication } from '../topics/publication.ts';
import { fromMachineMs, toMachineMs } from './machine-clock.ts';

const nothing = Buffer.alloc(0);

/** A topic in the form that a worker is told. */
export type PackedTopic = Omit<StoredTopic, 'publications' | 'state'> & {
  readonly publications: Uint8Array;
  readonly state: Uint8Array;
};

/** What was appended to one topic. */
export interface TopicAppend {
  readonly topic: string;
  readonly epoch: string;
  readonly publications: readonly StoredPublication[];
}

/** What comes before a publication: three doubles and two lengths. */
const recordHeadBytes = 32;

/**
 * Encodes publications of one topic after room for a head, because structured clones of them would cost several times
 * as much. Numbers are little-endian. Of each publication: `seq`, both times, the lengths of `apart` and of the
 * encoding, `apart` as JSON, and the encoding. `acceptedAtMs` is on the machine's clock; 0: its delivery is not timed.
 */
function packAll(publications: readonly StoredPublication[], headBytes = 0): Buffer {
  const records = publications.map((publication) => ({
    publication,
    encoded: publication.encoded(protobufCodec),
    apart: publication.apart === undefined ? nothing : Buffer.from(JSON.stringify(publication.apart)),
  }));
  const bytes = Buffer.allocUnsafe(
    records.reduce(
      (sum, { apart, encoded }) => sum + recordHeadBytes + apart.length + encoded.length,
      headBytes,
    ),
  );
  let at = headBytes;
  for (const { publication, encoded, apart } of records) {
    const { seq, publishedAtMs, acceptedAtMs } = publication;
    bytes.writeDoubleLE(seq, at);
    bytes.writeDoubleLE(publishedAtMs, at + 8);
    bytes.writeDoubleLE(acceptedAtMs === 0 ? 0 : toMachineMs(acceptedAtMs), at + 16);
    bytes.writeUInt32LE(apart.length, at + 24);
    bytes.writeUInt32LE(encoded.length, at + 28);
    at += recordHeadBytes;
    bytes.set(apart, at);
    bytes.set(encoded, at + apart.length);
    at += apart.length + encoded.length;
  }
  return bytes;
}

/** The bytes of the publications are views of `packed`. */
function unpackAll(topic: string, packed: Uint8Array): StoredPublication[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const publications: StoredPublication[] = [];
  for (let at = 0; at < bytes.length; ) {
    const acceptedAtMs = bytes.readDoubleLE(at + 16);
    const apartAt = at + recordHeadBytes;
    const encodedAt = apartAt + bytes.readUInt32LE(at + 24);
    const end = encodedAt + bytes.readUInt32LE(at + 28);
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
  return publications;
}

/** The head: the lengths of topic and epoch, two bytes each, and then both in ASCII. */
export function packAppended(
  topic: string,
  epoch: string,
  publications: readonly StoredPublication[],
): Uint8Array {
  const bytes = packAll(publications, 4 + topic.length + epoch.length);
  bytes.writeUInt16LE(topic.length, 0);
  bytes.writeUInt16LE(epoch.length, 2);
  bytes.write(topic, 4, 'latin1');
  bytes.write(epoch, 4 + topic.length, 'latin1');
  return bytes;
}

export function unpackAppended(packed: Uint8Array): TopicAppend {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const epochAt = 4 + bytes.readUInt16LE(0);
  const headBytes = epochAt + bytes.readUInt16LE(2);
  const topic = bytes.toString('latin1', 4, epochAt);
  const epoch = bytes.toString('latin1', epochAt, headBytes);
  return { topic, epoch, publications: unpackAll(topic, bytes.subarray(headBytes)) };
}

export function packTopic({ publications, state, ...numbering }: StoredTopic): PackedTopic {
  return { ...numbering, publications: packAll(publications), state: packAll(state) };
}

export function unpackTopic(name: string, { publications, state, ...numbering }: PackedTopic): StoredTopic {
  return { ...numbering, publications: unpackAll(name, publications), state: unpackAll(name, state) };
}
