import { protobufCodec } from '../protocol/protobuf/codec.ts';
import type { BesideFields } from '../protocol/publication.ts';
import type { StoredTopic } from '../topics/engine.ts';
import { StoredPublication } from '../topics/publication.ts';
import { fromMachineMs, toMachineMs } from './machine-clock.ts';

/** A publication between processes: its encoding, and what that does not say. */
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

/** The encoding is made once, here, and shared by all who read the message. */
export function pack(publication: StoredPublication): PackedPublication {
  const { seq, publishedAtMs, acceptedAtMs, apart } = publication;
  return [
    publication.encoded(protobufCodec),
    seq,
    publishedAtMs,
    acceptedAtMs === 0 ? 0 : toMachineMs(acceptedAtMs),
    apart,
  ];
}

export function unpack(
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
