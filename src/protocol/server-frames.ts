import { type Replies, replyReaders } from './commands.ts';
import {
  type Bounds,
  type Decoded,
  type Dialect,
  type Fault,
  Fields,
  maxUint32,
  type Raw,
} from './fields.ts';
import { member, mode, position, range, readPublication } from './frame-values.ts';
import type {
  BatchHeader,
  CompressedBody,
  Mode,
  OffsetRange,
  Payload,
  PresenceMember,
  Publication,
  SnapshotHeader,
  TopicPosition,
} from './frames.ts';
import { nullPayload } from './payload.ts';

/** The fields of each kind of frame that no command asks for. */
interface Pushes {
  batch: BatchHeader & {
    readonly publications: readonly Publication[];
    readonly compressed?: CompressedBody;
  };
  reset: TopicPosition & { readonly view: number; readonly mode: Mode };
  snapshot: SnapshotHeader & { readonly publications: readonly Publication[] };
  joined: { readonly topic: string; readonly member: PresenceMember };
  left: { readonly topic: string; readonly member: PresenceMember };
  lagging: { readonly views: readonly number[] };
  caughtUp: {
    readonly view: number;
    readonly topic: string;
    readonly epoch: string;
    readonly offset: number;
    readonly recovered: boolean;
    readonly missing?: OffsetRange;
    readonly cursor?: string;
  };
  message: { readonly type: string; readonly payload: Payload };
  goingAway: { readonly reconnectDelayMs: number; readonly reason: string };
  tokenExpiring: { readonly expiresMs: number };
  gatewayState: { readonly degraded: boolean };
  dictionary: {
    readonly dictionary: number;
    readonly view: number;
    readonly data: Uint8Array;
    readonly crc32: number;
  };
}

/** The fields of each kind of frame that the gateway sends. */
export interface ServerKinds extends Replies, Pushes {}

export type ServerKind = keyof ServerKinds;

/** A frame of the gateway. `id` is the command's, and 0 in pushes. */
export type ServerFrame = {
  [K in ServerKind]: { readonly kind: K; readonly id: number } & ServerKinds[K];
}[ServerKind];

/** A frame of one kind, without the id that only replies have. */
export type Reply = { [K in ServerKind]: { readonly kind: K } & ServerKinds[K] }[ServerKind];

/** The gateway bounds what it sends; the message that holds it bounds the rest. */
const serverBounds: Bounds = { text: Number.POSITIVE_INFINITY, list: Number.POSITIVE_INFINITY };

const readers: { readonly [K in ServerKind]: (fields: Fields) => ServerKinds[K] } = {
  ...replyReaders,
  batch: (fields) => ({
    ...batchHeader(fields),
    publications: fields.list('publications', readPublication),
    compressed: compressedBody(fields),
  }),
  reset: (fields) => ({
    view: fields.integer('view', maxUint32),
    topic: fields.anyText('topic'),
    ...position(fields),
    mode: mode(fields),
  }),
  snapshot: (fields) => ({
    view: fields.integer('view', maxUint32),
    topic: fields.anyText('topic'),
    ...position(fields),
    first: fields.flag('first'),
    last: fields.flag('last'),
    partial: fields.trueOrAbsent('partial'),
    publications: fields.list('publications', readPublication),
  }),
  joined: (fields) => ({ topic: fields.anyText('topic'), member: fields.child('member', member) }),
  left: (fields) => ({ topic: fields.anyText('topic'), member: fields.child('member', member) }),
  lagging: (fields) => ({ views: fields.integers('views') }),
  caughtUp: (fields) => ({
    view: fields.integer('view', maxUint32),
    topic: fields.anyText('topic'),
    ...position(fields),
    recovered: fields.flag('recovered'),
    missing: fields.optionalChild('missing', range),
    cursor: fields.optionalText('cursor'),
  }),
  message: (fields) => ({
    type: fields.anyText(fields.dialect.eventMember),
    payload: fields.payload() ?? nullPayload,
  }),
  goingAway: (fields) => ({
    reconnectDelayMs: fields.integer('reconnectDelayMs'),
    reason: fields.anyText('reason'),
  }),
  tokenExpiring: (fields) => ({ expiresMs: fields.instant('expiresMs') }),
  gatewayState: (fields) => ({ degraded: fields.flag('degraded') }),
  dictionary: (fields) => ({
    dictionary: fields.integer('dictionary', maxUint32),
    view: fields.integer('view', maxUint32),
    data: fields.bytes('data'),
    crc32: fields.integer('crc32', maxUint32),
  }),
};

export const serverKinds = Object.keys(readers) as ServerKind[];

export function isServerKind(name: string): name is ServerKind {
  return Object.hasOwn(readers, name);
}

function batchHeader(fields: Fields): BatchHeader {
  return {
    view: fields.integer('view', maxUint32),
    topic: fields.optionalText('topic'),
    epoch: fields.optionalText('epoch'),
    cursor: fields.optionalText('cursor'),
    ...(fields.positive('upto') === undefined ? one(fields) : range(fields)),
  };
}

/** A batch without an end covers one offset. */
function one(fields: Fields): OffsetRange {
  const after = fields.integer('after', Number.MAX_SAFE_INTEGER - 1);
  return { after, upto: after + 1 };
}

function compressedBody(fields: Fields): CompressedBody | undefined {
  if (!fields.has('deflate')) return undefined;
  const deflate = fields.bytes('deflate');
  const sum = fields.integer('crc32', maxUint32);
  if (deflate.length === 0 && sum === 0) return undefined;
  return {
    deflate,
    plainBytes: fields.integer('plainBytes', maxUint32),
    crc32: sum,
    dictionary: fields.integer('dictionary', maxUint32),
  };
}

/** The frame of a kind whose fields a codec has parsed. */
export function readServerFrame(
  kind: ServerKind,
  id: number,
  raw: Raw,
  dialect: Dialect,
): Decoded<ServerFrame> {
  const faults: { first?: Fault } = {};
  const values = readers[kind](new Fields(raw, dialect, serverBounds, faults));
  if (faults.first !== undefined) return { ok: false, id, ...faults.first };
  return { ok: true, frame: { kind, id, ...values } as ServerFrame };
}
