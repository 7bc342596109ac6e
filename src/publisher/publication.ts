import { viewOf } from '../protocol/binary.ts';
import { faithfulJson } from '../protocol/json/faithful.ts';

/** The optional fields of a publication. */
export interface PublicationOptions {
  /** State mode: what this is the newest value of. At most 200 characters. */
  readonly key?: string;
  /** What filters look at. At most 32. */
  readonly tags?: Readonly<Record<string, string>>;
  /** A repeat within 5 minutes returns the first position, and is not published again. */
  readonly messageId?: string;
  /** The id of a session that is not to get it. */
  readonly except?: string;
  /** It is dropped from history and state after this time. */
  readonly ttlMs?: number;
  /** A date, or a text of RFC 3339. Default: when the gateway takes it. */
  readonly timestamp?: Date | string;
  /** State mode: this key has no value any more. */
  readonly removed?: boolean;
}

/** One publication, with what it carries. */
export interface PublicationInput extends PublicationOptions {
  readonly topic: string;
  /** The kind of update. */
  readonly type: string;
  /** Bytes (an ArrayBuffer or a view on one) go as they are, everything else as JSON. Default: null. */
  readonly data?: unknown;
}

/** The position of a publication in its topic. */
export interface Published {
  readonly epoch: string;
  /** 1, 2, 3 … */
  readonly offset: number;
  /** The `messageId` was seen before: this is the position of that publication. */
  readonly duplicate?: boolean;
}

/** A publication of a broadcast has no topic. */
export type BroadcastInput = Omit<PublicationInput, 'topic'>;

/** The body of a publish, as `POST /api/publish` takes it. Throws where JSON can't say what `data` is. */
export function publicationText({ data, ...members }: PublicationInput | BroadcastInput): string {
  const bytes = viewOf(data);
  if (bytes === undefined) return faithfulJson({ ...members, data });
  const dataBase64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return faithfulJson({ ...members, dataBase64 });
}
