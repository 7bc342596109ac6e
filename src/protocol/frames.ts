import type { ErrorCode } from '../errors.ts';
import type { Payload, Publication, PublishFields, Tags } from './publication.ts';

/**
 * The frames of the protocol as values, the same for every codec. `proto/gateway.proto` says what each field means;
 * here they have the types that the code works with: offsets and times are plain numbers, payloads are bytes, an
 * absent field is `undefined`.
 */

export type { Payload, Publication, PublishFields, Tags };

export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

export interface TopicPosition extends Position {
  readonly topic: string;
}

/** Offsets (after, upto]. */
export interface OffsetRange {
  readonly after: number;
  readonly upto: number;
}

export type Mode = 'stream' | 'state';

export type Filter =
  | { readonly op: 'eq' | 'prefix'; readonly tag: string; readonly value: string }
  | { readonly op: 'in'; readonly tag: string; readonly values: readonly string[] }
  | { readonly op: 'lt' | 'lte' | 'gt' | 'gte'; readonly tag: string; readonly number: number }
  | { readonly op: 'exists'; readonly tag: string }
  | { readonly op: 'and' | 'or' | 'not'; readonly filters: readonly Filter[] };

export interface Subscription {
  readonly topic: string;
  readonly since?: Position;
  readonly positions?: readonly TopicPosition[];
  readonly cursor?: string;
  readonly last?: number;
  readonly filter?: Filter;
  readonly intervalMs?: number;
  readonly conflate?: boolean;
  readonly presence?: boolean;
  readonly keys?: readonly string[];
  /** A topic token. */
  readonly token?: string;
  /** It ends the session's other subscriptions to topics of its target. Never on the wire. */
  readonly replaces?: boolean;
  /** It was malformed: it is to be refused with this error, without harm to the others of its command. */
  readonly fault?: { readonly code: ErrorCode; readonly message: string };
}

/** An error on the wire; `src/errors.ts` has the table. */
export interface WireError {
  readonly code: string;
  readonly number: number;
  readonly message: string;
  readonly retry: boolean;
  readonly retryAfterMs?: number;
}

export interface Limits {
  readonly frameMaxBytes: number;
  readonly payloadMaxBytes: number;
  readonly subscriptions: number;
  readonly commandsPerSecond: number;
  readonly idleTimeoutMs: number;
}

export interface TopicResult extends TopicPosition {
  readonly mode: Mode;
  readonly recovered?: boolean;
  readonly missing?: OffsetRange;
}

/** Everything of this view's topic up to here was taken by the application. */
export interface Ack {
  readonly view: number;
  readonly offset: number;
  /** Absent: the epoch that the gateway sent last. */
  readonly epoch?: string;
}

/** The granted form of one subscription. */
export interface Granted {
  readonly topic: string;
  readonly view: number;
  readonly mode: Mode;
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly missing?: OffsetRange;
  readonly topics?: readonly TopicResult[];
  readonly intervalMs?: number;
  readonly cursor?: string;
  /** The gateway wants acks of it. */
  readonly inbox?: boolean;
}

export interface Refused {
  readonly topic: string;
  readonly error: WireError;
}

export type SubscribeResult = Granted | Refused;

export interface PresenceMember {
  readonly session: string;
  readonly user?: string;
  readonly sinceMs: number;
}

/** What a batch says before its publications. `topic` and `epoch` only in views of a pattern. */
export interface BatchHeader {
  readonly view: number;
  readonly topic?: string;
  readonly epoch?: string;
  readonly after: number;
  readonly upto: number;
  /** Only in live batches of a pattern's view. */
  readonly cursor?: string;
}

/** The compressed publications of a batch. */
export interface CompressedBody {
  readonly deflate: Uint8Array;
  /** 0: at most `smallRunBytes`. */
  readonly plainBytes: number;
  readonly crc32: number;
  /** The dictionary that the deflate stream was primed with; 0: none. */
  readonly dictionary: number;
}

export interface SnapshotHeader {
  readonly view: number;
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
  readonly first: boolean;
  readonly last: boolean;
  readonly partial?: boolean;
}

export interface HistoryHeader {
  readonly topic: string;
  readonly epoch: string;
  readonly after: number;
  readonly upto: number;
  readonly more: boolean;
  readonly missing?: OffsetRange;
}
