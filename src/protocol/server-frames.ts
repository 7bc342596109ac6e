import {
  type Bounds,
  type Decoded,
  type Dialect,
  type Fault,
  Fields,
  maxUint32,
  type Raw,
} from './fields.ts';
import type {
  BatchHeader,
  CompressedBody,
  HistoryHeader,
  Limits,
  Mode,
  OffsetRange,
  Payload,
  Position,
  PresenceMember,
  Publication,
  SnapshotHeader,
  SubscribeResult,
  TopicPosition,
  TopicResult,
  WireError,
} from './frames.ts';
import { readOptionalFields } from './optional-fields.ts';
import { nullPayload } from './payload.ts';
import { draftPublication, seenRows } from './publication.ts';

/** The fields of each kind of frame that the gateway sends. */
export interface ServerKinds {
  connected: {
    readonly session: string;
    readonly timeMs: number;
    readonly version: string;
    readonly user?: string;
    readonly limits: Limits;
    readonly capabilities?: readonly string[];
    readonly expiresMs?: number;
    readonly degraded?: true;
  };
  subscribed: { readonly results: readonly SubscribeResult[] };
  unsubscribed: { readonly views: readonly number[]; readonly reason?: string };
  published: Position & { readonly duplicate: boolean };
  history: HistoryHeader & { readonly publications: readonly Publication[] };
  presence: { readonly topic: string; readonly members: readonly PresenceMember[]; readonly count: number };
  status: {
    readonly session: string;
    readonly user?: string;
    readonly connectedAtMs: number;
    readonly messageCount: number;
    readonly subscriptions: readonly { readonly topic: string; readonly view: number }[];
    readonly timeMs: number;
  };
  refreshed: { readonly expiresMs?: number };
  pong: { readonly timeMs: number };
  result: { readonly payload?: Payload };
  error: WireError;
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
  connected: (fields) => ({
    session: fields.anyText('session'),
    timeMs: fields.instant('timeMs'),
    version: fields.anyText('version'),
    user: fields.optionalText('user'),
    limits: fields.child('limits', (limits) => ({
      frameMaxBytes: limits.integer('frameMaxBytes'),
      payloadMaxBytes: limits.integer('payloadMaxBytes'),
      subscriptions: limits.integer('subscriptions'),
      commandsPerSecond: limits.integer('commandsPerSecond'),
      idleTimeoutMs: limits.integer('idleTimeoutMs'),
    })),
    capabilities: fields.optionalTexts('capabilities'),
    expiresMs: fields.optionalInstant('expiresMs'),
    degraded: fields.trueOrAbsent('degraded'),
  }),
  subscribed: (fields) => ({ results: fields.list('results', subscribeResult) }),
  unsubscribed: (fields) => ({ views: fields.integers('views'), reason: fields.optionalText('reason') }),
  published: (fields) => ({ ...position(fields), duplicate: fields.flag('duplicate') }),
  history: (fields) => ({
    topic: fields.anyText('topic'),
    epoch: fields.anyText('epoch'),
    ...range(fields),
    more: fields.flag('more'),
    missing: fields.optionalChild('missing', range),
    publications: fields.list('publications', readPublication),
  }),
  presence: (fields) => ({
    topic: fields.anyText('topic'),
    members: fields.list('members', member),
    count: fields.integer('count'),
  }),
  status: (fields) => ({
    session: fields.anyText('session'),
    user: fields.optionalText('user'),
    connectedAtMs: fields.instant('connectedAtMs'),
    messageCount: fields.integer('messageCount'),
    subscriptions: fields.list('subscriptions', (one) => ({
      topic: one.anyText('topic'),
      view: one.integer('view', maxUint32),
    })),
    timeMs: fields.instant('timeMs'),
  }),
  refreshed: (fields) => ({ expiresMs: fields.optionalInstant('expiresMs') }),
  pong: (fields) => ({ timeMs: fields.instant('timeMs') }),
  result: (fields) => ({ payload: fields.payload() }),
  error: wireError,
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

function readPublication(fields: Fields): Publication {
  const publication = draftPublication(
    fields.integer('offset'),
    fields.instant('timestampMs'),
    fields.anyText('type'),
    fields.payload() ?? nullPayload,
  );
  readOptionalFields(fields, seenRows, publication);
  return publication;
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

function range(fields: Fields): OffsetRange {
  const after = fields.integer('after');
  const upto = fields.integer('upto');
  if (after > upto) fields.fail('after', 'must not be above upto');
  return { after, upto };
}

function position(fields: Fields): { epoch: string; offset: number } {
  return { epoch: fields.anyText('epoch'), offset: fields.integer('offset') };
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

function member(fields: Fields): PresenceMember {
  return {
    session: fields.anyText('session'),
    user: fields.optionalText('user'),
    sinceMs: fields.instant('sinceMs'),
  };
}

function wireError(fields: Fields): WireError {
  return {
    code: fields.anyText('code'),
    number: fields.integer('number', maxUint32),
    message: fields.anyText('message'),
    retry: fields.flag('retry'),
    retryAfterMs: fields.positive('retryAfterMs', maxUint32),
  };
}

function subscribeResult(fields: Fields): SubscribeResult {
  const topic = fields.anyText('topic');
  if (fields.has('error')) return { topic, error: fields.child('error', wireError) };
  return {
    ...topicResult(fields),
    view: fields.integer('view', maxUint32),
    topics: fields.optionalList('topics', topicResult),
    intervalMs: fields.positive('intervalMs', maxUint32),
    cursor: fields.optionalText('cursor'),
    inbox: fields.trueOrAbsent('inbox'),
  };
}

function topicResult(fields: Fields): TopicResult {
  return {
    topic: fields.anyText('topic'),
    ...position(fields),
    mode: mode(fields),
    recovered: fields.presentFlag('recovered'),
    missing: fields.optionalChild('missing', range),
  };
}

/** A name in JSON, a number in protobuf. */
function mode(fields: Fields): Mode {
  const value = fields.raw['mode'];
  if (value === 'state' || value === 1) return 'state';
  if (value !== 'stream' && value !== 0 && value !== undefined) fields.fail('mode', 'is unknown');
  return 'stream';
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
