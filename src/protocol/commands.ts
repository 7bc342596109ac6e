import type { Fields } from './fields.ts';
import { readFilter } from './filter-fields.ts';
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
import { maxUint32 } from './integers.ts';
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

export const replyKinds: { readonly [K in keyof Replies]: true } = {
  connected: true,
  subscribed: true,
  unsubscribed: true,
  published: true,
  history: true,
  presence: true,
  status: true,
  refreshed: true,
  pong: true,
  result: true,
  error: true,
};

/** Tokens with many claims are long. */
const tokenMaxLength = 16_384;
/** What can't be a token is refused as a wrong one: a client that gets its tokens from a function asks for another. */
const tokenRule = [tokenMaxLength, 'unauthorized'] as const;

/** How the fields of each command are read. */
export const commandReaders: { readonly [K in keyof Commands]: (fields: Fields) => Commands[K] } = {
  connect: (fields) => ({
    token: fields.optionalText('token', ...tokenRule),
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
  refresh: (fields) => ({ token: fields.text('token', ...tokenRule) }),
  ping: (fields) => {
    const roundTripMs = fields.has('roundTripMs') ? fields.number('roundTripMs') : 0;
    if (roundTripMs < 0) fields.fail('roundTripMs', 'must not be negative');
    return { roundTripMs: roundTripMs || undefined, acks: fields.soundList('acks', ack) };
  },
  call: (fields) => ({ method: fields.text('method'), payload: fields.payload() }),
  setKeys: (fields) => {
    const keys = fields.texts('keys');
    if (keys.length === 0) fields.fail('keys', 'must not be empty');
    return { view: fields.integer('view', maxUint32), keys };
  },
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
    // Of a topic whose position is left out the gateway sends all that it keeps.
    positions: fields.soundList('positions', topicPosition),
    cursor: fields.optionalText('cursor'),
    last: fields.positive('last', maxUint32),
    filter: fields.optionalChild('filter', readFilter),
    intervalMs: fields.positive('intervalMs', maxUint32),
    conflate: fields.trueOrAbsent('conflate'),
    presence: fields.trueOrAbsent('presence'),
    keys: fields.optionalTexts('keys'),
    token: fields.optionalText('token', ...tokenRule),
  };
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

function position(fields: Fields): Position {
  return { epoch: fields.anyText('epoch'), offset: fields.integer('offset') };
}
