/** How a client reads the frames of the gateway, as `proto/gateway.proto` says. The SDK has readers of its own. */

import {
  type Bounds,
  type Decoded,
  type Dialect,
  type Fault,
  Fields,
  maxUint32,
  type Raw,
} from '../../src/protocol/fields.ts';
import type {
  BatchHeader,
  CompressedBody,
  Mode,
  OffsetRange,
  PresenceMember,
  Publication,
  SubscribeResult,
  TopicResult,
  WireError,
} from '../../src/protocol/frames.ts';
import { fromBase64 } from '../../src/protocol/json/base64.ts';
import { readOptionalFields } from '../../src/protocol/optional-fields.ts';
import { nullPayload } from '../../src/protocol/payload.ts';
import { draftPublication, seenRows } from '../../src/protocol/publication.ts';
import type { ServerFrame, ServerKind, ServerKinds } from '../../src/protocol/server-frames.ts';

/** The gateway bounds what it sends; the message that holds it bounds the rest. */
const serverBounds: Bounds = { text: Number.POSITIVE_INFINITY, list: Number.POSITIVE_INFINITY };

const readers: { readonly [K in ServerKind]: (fields: Fields) => ServerKinds[K] } = {
  connected: (fields) => ({
    session: fields.anyText('session'),
    timeMs: instant(fields, 'timeMs'),
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
  unsubscribed: (fields) => ({ views: integers(fields, 'views'), reason: fields.optionalText('reason') }),
  published: (fields) => ({ ...position(fields), duplicate: fields.presentFlag('duplicate') ?? false }),
  history: (fields) => ({
    topic: fields.anyText('topic'),
    epoch: fields.anyText('epoch'),
    ...range(fields),
    more: fields.presentFlag('more') ?? false,
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
    connectedAtMs: instant(fields, 'connectedAtMs'),
    messageCount: fields.integer('messageCount'),
    subscriptions: fields.list('subscriptions', (one) => ({
      topic: one.anyText('topic'),
      view: one.integer('view', maxUint32),
    })),
    timeMs: instant(fields, 'timeMs'),
  }),
  refreshed: (fields) => ({ expiresMs: fields.optionalInstant('expiresMs') }),
  pong: (fields) => ({ timeMs: instant(fields, 'timeMs') }),
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
    first: fields.presentFlag('first') ?? false,
    last: fields.presentFlag('last') ?? false,
    partial: fields.trueOrAbsent('partial'),
    publications: fields.list('publications', readPublication),
  }),
  joined: (fields) => ({ topic: fields.anyText('topic'), member: fields.child('member', member) }),
  left: (fields) => ({ topic: fields.anyText('topic'), member: fields.child('member', member) }),
  lagging: (fields) => ({ views: integers(fields, 'views') }),
  caughtUp: (fields) => ({
    view: fields.integer('view', maxUint32),
    topic: fields.anyText('topic'),
    ...position(fields),
    recovered: fields.presentFlag('recovered') ?? false,
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
  tokenExpiring: (fields) => ({ expiresMs: instant(fields, 'expiresMs') }),
  gatewayState: (fields) => ({ degraded: fields.presentFlag('degraded') ?? false }),
  dictionary: (fields) => ({
    dictionary: fields.integer('dictionary', maxUint32),
    view: fields.integer('view', maxUint32),
    data: bytes(fields, 'data'),
    crc32: fields.integer('crc32', maxUint32),
  }),
};

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
  const deflate = bytes(fields, 'deflate');
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

function readPublication(fields: Fields): Publication {
  const publication = draftPublication(
    fields.integer('offset'),
    instant(fields, 'timestampMs'),
    fields.anyText('type'),
    fields.payload() ?? nullPayload,
  );
  readOptionalFields(fields, seenRows, publication);
  return publication;
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

function member(fields: Fields): PresenceMember {
  return {
    session: fields.anyText('session'),
    user: fields.optionalText('user'),
    sinceMs: instant(fields, 'sinceMs'),
  };
}

function wireError(fields: Fields): WireError {
  return {
    code: fields.anyText('code'),
    number: fields.integer('number', maxUint32),
    message: fields.anyText('message'),
    retry: fields.presentFlag('retry') ?? false,
    retryAfterMs: fields.positive('retryAfterMs', maxUint32),
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

/** Bytes that are no payload: in JSON as base64. */
function bytes(fields: Fields, name: string): Uint8Array {
  const value = fields.raw[name];
  // The default of the generated code is a Buffer.
  if (fields.dialect.eventMember === 'type')
    return value instanceof Uint8Array && value.length > 0 ? value : new Uint8Array(0);
  const base64 = fields.raw[`${name}Base64`];
  const read = typeof base64 === 'string' ? fromBase64(base64) : undefined;
  if (read === undefined) fields.fail(name, 'must be bytes');
  return read ?? new Uint8Array(0);
}

function instant(fields: Fields, name: string): number {
  return fields.optionalInstant(name) ?? 0;
}

function integers(fields: Fields, name: string): readonly number[] {
  const given = (fields.raw[name] ?? []) as readonly number[];
  const isList = Array.isArray(given) && given.every((one) => one >= 0 && one <= maxUint32 && one % 1 === 0);
  if (!isList) fields.fail(name, 'must be a list of integers');
  return isList ? given : [];
}
