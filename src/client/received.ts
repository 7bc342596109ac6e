import type { Publication, Tags } from '../protocol/frames.ts';

const decoder = new TextDecoder();
const unread = Symbol('unread');

/** A publication as the application gets it. `data` is parsed on first use; most publications of a busy topic never are. */
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
  #bytes: Uint8Array;
  #data: T | typeof unread = unread;

  constructor(topic: string, publication: Publication) {
    this.topic = topic;
    this.offset = publication.offset;
    this.timestampMs = publication.timestampMs;
    this.type = publication.type;
    this.key = publication.key;
    this.tags = publication.tags ?? {};
    this.removed = publication.removed ?? false;
    this.format = publication.payload.format;
    this.#bytes = publication.payload.bytes;
  }

  /** The payload as it was published: JSON text in UTF-8, or any bytes. Don't write into it. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The payload's own text, byte for byte: `1.0` stays `1.0`. */
  get text(): string {
    return decoder.decode(this.#bytes);
  }

  /** The parsed payload; of a binary one the bytes themselves. Not checked against T. */
  get data(): T {
    if (this.#data === unread) this.#data = this.#read();
    return this.#data as T;
  }

  #read(): T {
    if (this.format === 'binary') return this.#bytes as T;
    return (this.#bytes.length === 0 ? null : JSON.parse(this.text)) as T;
  }

  /** Lets go of the message that it came in: for those who keep a publication longer than its batch. */
  detach(): this {
    if (this.#bytes.buffer.byteLength > this.#bytes.byteLength) this.#bytes = this.#bytes.slice();
    return this;
  }
}
