import type { Codec } from '../protocol/codec.ts';
import type { Payload, Publication, PublishFields, Tags } from '../protocol/frames.ts';

/** What a record costs beyond its bytes, about: the object, its strings' headers, its place in a ring. */
const recordOverheadBytes = 160;

/**
 * A publication that an engine has given its place. Immutable. Its bytes per codec are made at most once, when the
 * first view of that codec needs them, and shared by every batch, snapshot and history page from then on.
 */
export class StoredPublication implements Publication {
  readonly topic: string;
  readonly offset: number;
  readonly timestampMs: number;
  readonly type: string;
  readonly payload: Payload;
  readonly key: string | undefined;
  readonly tags: Tags | undefined;
  readonly removed: boolean | undefined;
  /** The id of the session that is not to get it. */
  readonly except: string | undefined;
  /**
   * When it leaves ring and state, milliseconds since 1970; Infinity: when these do without it. A removal never expires: who
   * was away must still hear of it.
   */
  readonly expiresAtMs: number;
  /** When the gateway accepted it, on the monotonic clock of this process; 0: it came from another node or a store. */
  readonly acceptedAtMs: number;
  /** What it costs the ring: its parts and the record itself, in bytes. */
  readonly bytes: number;
  #protobuf: Uint8Array | undefined;
  #json: Uint8Array | undefined;

  constructor(fields: PublishFields, offset: number, timestampMs: number, acceptedAtMs: number) {
    this.topic = fields.topic;
    this.offset = offset;
    this.timestampMs = timestampMs;
    this.type = fields.type;
    this.payload = fields.payload;
    this.key = fields.key;
    this.tags = fields.tags;
    this.removed = fields.removed === true ? true : undefined;
    this.except = fields.except;
    this.expiresAtMs =
      fields.ttlMs === undefined || this.removed === true
        ? Number.POSITIVE_INFINITY
        : timestampMs + fields.ttlMs;
    this.acceptedAtMs = acceptedAtMs;
    // The payload stands a second time in the encoded bytes of the codec that its views use.
    this.bytes =
      recordOverheadBytes +
      2 *
        (fields.payload.bytes.length +
          fields.type.length +
          (fields.key?.length ?? 0) +
          (fields.except?.length ?? 0) +
          tagsLength(fields.tags));
  }

  /** Its bytes as they stand in every frame of this codec. The caller must not change them. */
  encoded(codec: Codec): Uint8Array {
    if (codec.name === 'protobuf') {
      this.#protobuf ??= codec.encodePublication(this.topic, this);
      return this.#protobuf;
    }
    this.#json ??= codec.encodePublication(this.topic, this);
    return this.#json;
  }
}

function tagsLength(tags: Tags | undefined): number {
  let length = 0;
  for (const name in tags) length += name.length + (tags[name] as string).length;
  return length;
}
