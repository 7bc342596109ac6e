import { type Fields, maxUint32 } from './fields.ts';
import { readFilter } from './filter-fields.ts';
import { member, position, range, readPublication, topicResult, wireError } from './frame-values.ts';
import type {
  Ack,
  HistoryHeader,
  Limits,
  Payload,
  Position,
  PresenceMember,
  Publication,
  SubscribeResult,
  Subscription,
  TopicPosition,
  WireError,
} from './frames.ts';
import { readOptionalFields } from './optional-fields.ts';
import { nullPayload } from './payload.ts';
import { draftPublish, fieldRows, type PublishFields } from './publication.ts';
import { canonicalTopic } from './user-topics.ts';

/** The fields of each command. */
export interface Commands {
  connect: { readonly token?: string; readonly client?: string; readonly capabilities?: readonly string[] };
  subscribe: { readonly subscriptions: readonly Subscription[] };
  unsubscribe: {
    readonly views?: readonly number[];
    readonly topics?: readonly string[];
    /** All subscriptions whose topic or pattern begins so. Never on the wire. */
    readonly prefix?: string;
  };
  publish: PublishFields;
  history: { readonly topic: string; readonly after?: number; readonly limit?: number };
  presence: { readonly topic: string };
  status: Record<never, never>;
  refresh: { readonly token: string };
  ping: { readonly roundTripMs?: number; readonly acks?: readonly Ack[] };
  call: { readonly method: string; readonly payload?: Payload };
  setKeys: { readonly view: number; readonly keys: readonly string[] };
}

/** The fields of each kind of reply to a command. */
export interface Replies {
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
}

/** Tokens with many claims are long. */
const maxTokenLength = 16_384;

/** How the fields of each command are read. */
export const commandReaders: { readonly [K in keyof Commands]: (fields: Fields) => Commands[K] } = {
  connect: (fields) => ({
    token: fields.optionalText('token', maxTokenLength),
    client: fields.optionalText('client'),
    capabilities: present(fields.soundTexts('capabilities')),
  }),
  subscribe: (fields) => {
    const entries = fields.listApart('subscriptions', subscription);
    if (entries.length === 0) fields.fail('subscriptions', 'must not be empty');
    const [only] = entries;
    // The fault of the only one is told as that of the command; of several, each has a result of its own.
    if (entries.length === 1 && only?.fault !== undefined) fields.blame(only.fault);
    return {
      subscriptions: entries.map(({ value, fault }) => (fault ? { topic: value.topic, fault } : value)),
    };
  },
  unsubscribe: (fields) => {
    const views = fields.soundIntegers('views');
    const topics = fields.soundTexts('topics').map(canonicalTopic);
    if (views.length + topics.length === 0) fields.fail('views', 'or topics must name at least one');
    return { views: present(views), topics: present(topics) };
  },
  publish: readPublish,
  history: (fields) => ({
    topic: fields.topic('topic'),
    after: fields.present('after'),
    limit: fields.positive('limit', maxUint32),
  }),
  presence: (fields) => ({ topic: fields.topic('topic') }),
  status: () => ({}),
  refresh: (fields) => ({ token: fields.text('token', maxTokenLength) }),
  ping: (fields) => {
    const roundTripMs = fields.has('roundTripMs') ? fields.number('roundTripMs') : 0;
    if (roundTripMs < 0) fields.fail('roundTripMs', 'must not be negative');
    return { roundTripMs: roundTripMs || undefined, acks: fields.optionalList('acks', ack) };
  },
  call: (fields) => ({ method: fields.text('method'), payload: fields.payload() }),
  setKeys: (fields) => {
    const keys = fields.texts('keys');
    if (keys.length === 0) fields.fail('keys', 'must not be empty');
    return { view: fields.integer('view', maxUint32), keys };
  },
};

/** How the fields of each kind of reply are read. */
export const replyReaders: { readonly [K in keyof Replies]: (fields: Fields) => Replies[K] } = {
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
};

function readPublish(fields: Fields): PublishFields {
  // The broker judges lengths.
  const publish = draftPublish(
    fields.topic('topic', Number.POSITIVE_INFINITY),
    fields.text(fields.dialect.eventMember, Number.POSITIVE_INFINITY),
    fields.payload() ?? nullPayload,
  );
  readOptionalFields(fields, fieldRows, publish);
  return publish;
}

function subscription(fields: Fields): Subscription {
  return {
    topic: fields.topic('topic'),
    since: fields.optionalChild('since', position),
    positions: positions(fields),
    cursor: fields.optionalText('cursor'),
    last: fields.positive('last', maxUint32),
    filter: fields.optionalChild('filter', readFilter),
    intervalMs: fields.positive('intervalMs', maxUint32),
    conflate: fields.trueOrAbsent('conflate'),
    presence: fields.trueOrAbsent('presence'),
    keys: fields.optionalTexts('keys'),
    token: fields.optionalText('token', maxTokenLength),
  };
}

/** A malformed position is left out: then the gateway sends all that it keeps of that topic. */
function positions(fields: Fields): readonly TopicPosition[] | undefined {
  const entries = fields.listApart('positions', topicPosition);
  if (entries.length === 0) return undefined;
  return entries.filter(({ fault }) => fault === undefined).map(({ value }) => value);
}

function ack(fields: Fields): Ack {
  return {
    view: fields.integer('view', maxUint32),
    offset: fields.integer('offset'),
    epoch: fields.optionalText('epoch'),
  };
}

function present<T>(values: readonly T[]): readonly T[] | undefined {
  return values.length === 0 ? undefined : values;
}

function topicPosition(fields: Fields): TopicPosition {
  return { topic: fields.topic('topic'), ...position(fields) };
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
