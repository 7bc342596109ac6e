import type { GatewayCodec } from '../protocol/codec.ts';
import { protobufCodec } from '../protocol/protobuf/codec.ts';
import { readPayload, readPublicationBytes } from '../protocol/protobuf/publication-bytes.ts';
import {
  type BesideFields,
  draftBeside,
  fieldRows,
  hasBeside,
  hasSeenFields,
  type KeptFields,
  type Kinds,
  keptFrom,
  type Payload,
  type Publication,
  type SeenFields,
  SeenHolder,
  type Tags,
} from '../protocol/publication.ts';

/** Roughly what it costs a ring beyond its fields: framing, numbers stored beside it, and room to grow. */
const overheadBytes = 96;

/**
 * A publication with its offset. Immutable. Its bytes per codec are made at most once, when the first view of that
 * codec needs them, and shared by every batch and snapshot from then on.
 */
export class StoredPublication extends SeenHolder implements Publication, BesideFields {
  readonly topic: string;
  readonly offset: number;
  /**
   * When a gateway took it, milliseconds since 1970 on a clock that does not jump: ages and TTLs count from here,
   * whatever the publisher's clock or the wall clock says.
   */
  readonly publishedAtMs: number;
  readonly type: string;
  /** Fields that its encoding does not hold; undefined: none. */
  readonly apart: BesideFields | undefined;
  /** `publishedAtMs` on the monotonic clock of this process; 0: it came from another node or a store. */
  readonly acceptedAtMs: number;
  /** The number of its commit: ascends over all topics of an engine. */
  readonly seq: number;
  /** What it costs a ring, in bytes. */
  readonly bytes: number;
  /** What its readers see: the publisher's own, or when it was published. */
  readonly timestampMs: number;
  /** As it was published, until the encoded bytes have a copy, so that the body of a request is not kept alive. */
  #payload: Payload | undefined;
  #protobuf: Uint8Array | undefined;
  #json: Uint8Array | undefined;
  /** The encodings of codecs other than the protocol's own; undefined in most. */
  #others: Map<string, Uint8Array> | undefined;
  /** It is kept for a while: its bytes must not be part of a slab. */
  #apartFromSlabs = false;

  /** `timestampMs`: for readers, where the publisher gave none. */
  constructor(
    fields: KeptFields,
    offset: number,
    seq: number,
    publishedAtMs: number,
    acceptedAtMs: number,
    timestampMs = publishedAtMs,
  ) {
    super(fields);
    this.topic = fields.topic;
    this.offset = offset;
    this.seq = seq;
    this.publishedAtMs = publishedAtMs;
    this.timestampMs = fields.timestampMs ?? timestampMs;
    this.type = fields.type;
    this.#payload = fields.payload;
    this.apart = apartOf(fields, fields.removed === true);
    this.acceptedAtMs = acceptedAtMs;
    this.bytes = bytesOf(fields);
  }

  /**
   * From its protobuf bytes, which the caller must not change. `acceptedAtMs` 0: it came from a ring or a store, so its
   * delivery is not timed.
   */
  static decoded(
    topic: string,
    encoded: Uint8Array,
    seq: number,
    publishedAtMs: number,
    apart: BesideFields | undefined,
    acceptedAtMs = 0,
  ): StoredPublication {
    const publication = readPublicationBytes(encoded);
    const fields = keptFrom(topic, publication, apart ?? nothingBeside);
    const stored = new StoredPublication(fields, publication.offset, seq, publishedAtMs, acceptedAtMs);
    stored.#protobuf = encoded;
    return stored;
  }

  /** A copy with bytes of its own, for keeping: those of the original may be part of a slab. */
  own(): StoredPublication {
    const encoded = this.encoded(protobufCodec).slice();
    const own = StoredPublication.decoded(this.topic, encoded, this.seq, this.publishedAtMs, this.apart);
    own.#apartFromSlabs = true;
    return own;
  }

  /** Copies the bytes out of the shared slab, so that keeping this publication does not keep the slab alive. */
  detach(): void {
    this.#protobuf = this.encoded(protobufCodec).slice();
    this.#json = this.#json?.slice();
    this.#others = undefined;
    this.#apartFromSlabs = true;
  }

  get payload(): Payload {
    return this.#payload ?? readPayload(this.#protobuf as Uint8Array);
  }

  /** The id of the session that is not to get it. */
  get except(): string | undefined {
    return this.apart?.except;
  }

  /** A removal has no TTL: a client that was away must still hear of it. */
  get ttlMs(): number | undefined {
    return this.apart?.ttlMs;
  }

  /** When it expires, on the clock of `publishedAtMs`; Infinity: never. */
  get expiresAtMs(): number {
    return this.ttlMs === undefined ? Number.POSITIVE_INFINITY : this.publishedAtMs + this.ttlMs;
  }

  /** Its bytes in every frame of this codec. The caller must not change them. */
  encoded(codec: GatewayCodec): Uint8Array {
    if (codec.name === 'protobuf') {
      this.#protobuf ??= codec.encodePublication(this.topic, this);
      this.#payload = undefined;
      return this.#protobuf;
    }
    if (codec.name !== 'json') return this.#encodedForOthers(codec);
    this.#json ??= this.#encodedApart(codec);
    return this.#json;
  }

  #encodedForOthers(codec: GatewayCodec): Uint8Array {
    this.#others ??= new Map();
    let encoded = this.#others.get(codec.name);
    if (encoded === undefined) {
      encoded = this.#encodedApart(codec);
      this.#others.set(codec.name, encoded);
    }
    return encoded;
  }

  #encodedApart(codec: GatewayCodec): Uint8Array {
    const encoded = codec.encodePublication(this.topic, this);
    return this.#apartFromSlabs ? encoded.slice() : encoded;
  }
}

/** What the constructor sets. A field that is kept, but is not one of these, seen or apart, does not compile. */
type SetAlone = 'topic' | 'type' | 'payload' | 'timestampMs';
const forgotten: readonly Exclude<keyof KeptFields, SetAlone | keyof SeenFields | keyof BesideFields>[] = [];
forgotten satisfies readonly never[];

const nothingBeside = draftBeside();

/** Most publications have nothing apart, and so no object for it. */
function apartOf(fields: KeptFields, isRemoval: boolean): BesideFields | undefined {
  const { except } = fields;
  const ttlMs = isRemoval ? undefined : fields.ttlMs;
  return except === undefined && ttlMs === undefined ? undefined : { except, ttlMs };
}

const keptTexts = keptNames('text');
const keptTags = keptNames('tags');

/** Fields that take more than a number. */
function keptNames<K extends 'text' | 'tags'>(wanted: K) {
  type Name = { [N in keyof KeptFields]: KeptFields[N] extends Kinds[K] | undefined ? N : never };
  return fieldRows
    .filter(({ kind, kept }) => kind === wanted && kept !== 'never')
    .map(({ name }) => name as Exclude<Name[keyof KeptFields], 'topic' | 'type'>);
}

/** What a ring will count for it. */
export function bytesOf(fields: KeptFields): number {
  let bytes = overheadBytes + fields.payload.bytes.length + fields.type.length;
  if (!hasSeenFields(fields) && !hasBeside(fields)) return bytes;
  for (const name of keptTexts) bytes += fields[name]?.length ?? 0;
  for (const name of keptTags) bytes += tagsLength(fields[name]);
  return bytes;
}

function tagsLength(tags: Tags | undefined): number {
  let length = 0;
  for (const name in tags) length += name.length + (tags[name] as string).length;
  return length;
}
