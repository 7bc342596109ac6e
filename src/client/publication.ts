import type { Payload, Publication, Tags } from '../protocol/frames.ts';
import type { FieldName } from '../protocol/publication.ts';
import { readPayload, textOf } from './payload.ts';

/** The optional fields of a publication to publish. */
export interface PublishOptions {
  readonly key?: string | undefined;
  readonly tags?: Tags | undefined;
  /** Generated if absent, so that a publication that is sent again doesn't count twice. */
  readonly messageId?: string | undefined;
  readonly ttlMs?: number | undefined;
  /**
   * This client does not get it, even if it was offline or has reconnected; unless the call was rejected, and it was
   * stored after all.
   */
  readonly exceptSelf?: boolean | undefined;
  readonly timestampMs?: number | undefined;
  /** State topics: delete the key. */
  readonly removed?: boolean | undefined;
}

/** Does not compile if `PublishOptions` lacks a row of `src/protocol/publication.ts`. */
const lacking: readonly Exclude<
  FieldName,
  keyof PublishOptions | 'except' | 'expectedOffset' | 'pipelined'
>[] = [];
lacking satisfies readonly never[];

/** A publication as a plain object, which can be cloned to another tab or worker. */
export interface PlainPublication extends Publication {
  readonly topic: string;
}

/**
 * A publication as the application gets it. `data` is parsed on first use, which most publications of a busy topic
 * never see.
 */
export class ReceivedPublication<T = unknown> {
  readonly topic: string;
  readonly offset: number;
  /** Milliseconds since 1970, by the publisher's or the gateway's clock. */
  readonly timestampMs: number;
  readonly type: string;
  readonly key: string | undefined;
  readonly tags: Tags;
  /** State topics: the key has no value any more. */
  readonly removed: boolean;
  readonly format: 'json' | 'binary';
  #payload: Payload;
  #data: T | undefined;

  constructor(topic: string, publication: Publication) {
    this.topic = topic;
    this.offset = publication.offset;
    this.timestampMs = publication.timestampMs;
    this.type = publication.type;
    this.key = publication.key;
    this.tags = publication.tags ?? {};
    this.removed = publication.removed ?? false;
    this.format = publication.payload.format;
    this.#payload = publication.payload;
  }

  /** Vue then keeps it as it is: through a proxy of Vue private fields can't be read. */
  protected get __v_skip(): true {
    return true;
  }

  /** The payload as it was published: JSON text in UTF-8, or any bytes. Each use makes a copy, which may be changed. */
  get bytes(): Uint8Array {
    return this.#payload.bytes.slice();
  }

  /** The payload as text, byte for byte: `1.0` stays `1.0`. */
  get text(): string {
    return textOf(this.#payload);
  }

  /** The parsed payload, the same value at each use, or a copy of the bytes of a binary one. Not checked against T. */
  get data(): T {
    if (this.format === 'binary') return this.bytes as T;
    this.#data ??= readPayload(this.#payload) as T;
    return this.#data;
  }

  /** A copy for another receiver, with `data` of its own. */
  copy(): ReceivedPublication<T> {
    return new ReceivedPublication<T>(this.topic, { ...this.plain(), tags: { ...this.tags } });
  }

  /** The fields that it was made of. The payload is not copied. */
  plain(): PlainPublication {
    const { ...fields } = this as Omit<PlainPublication, 'payload'>;
    return { ...fields, payload: this.#payload };
  }

  /** Copies the payload out of its message, so that keeping this publication does not keep the message alive. */
  detach(): void {
    const { format, bytes } = this.#payload;
    if (bytes.buffer.byteLength > bytes.byteLength) this.#payload = { format, bytes: bytes.slice() };
  }
}
