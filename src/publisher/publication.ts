import { viewOf } from '../protocol/binary.ts';
import { faithfulJson } from '../protocol/json/faithful.ts';
import type { OptionalFields } from '../protocol/publication.ts';

/** The optional fields of a publication. A new row of `src/protocol/publication.ts` is one of them by itself. */
export interface PublicationOptions
  extends Partial<Omit<OptionalFields, 'timestampMs' | 'expectedOffset' | 'pipelined'>> {
  /** State mode: the key that gets this value. At most 200 characters. */
  readonly key?: string | undefined;
  /** Tags for filters. At most 32. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Idempotency key: a repeat within 5 minutes returns the first position and is not published again. */
  readonly messageId?: string | undefined;
  /** Id of a session that does not get it. */
  readonly except?: string | undefined;
  /** Lifetime, after which it is dropped from history and state. */
  readonly ttlMs?: number | undefined;
  /** Time of the update: a date, or a text of RFC 3339. Default: the gateway's clock. */
  readonly timestamp?: Date | string | undefined;
  /** State mode: removes the key. */
  readonly removed?: boolean | undefined;
}

/** One publication with its data. */
export interface PublicationInput extends PublicationOptions {
  readonly topic: string;
  /** Type of the update. */
  readonly type: string;
  /** Bytes (an ArrayBuffer or a view of one) are sent as they are, everything else as JSON. Default: null. */
  readonly data?: unknown;
}

/** The position of a publication in its topic. */
export interface Published {
  readonly epoch: string;
  /** 1, 2, 3 … */
  readonly offset: number;
  /** The `messageId` is a repeat, and this is the position of the first publication. */
  readonly duplicate?: boolean;
}

/** A publication of a broadcast has no topic. */
export type BroadcastInput = Omit<PublicationInput, 'topic'>;

/** The body of a publish, for `POST /api/publish`. Throws if JSON can't represent `data`. */
export function publicationText({ data, ...members }: PublicationInput | BroadcastInput): string {
  const bytes = viewOf(data);
  if (bytes === undefined) return faithfulJson({ ...members, data });
  const dataBase64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return faithfulJson({ ...members, dataBase64 });
}
