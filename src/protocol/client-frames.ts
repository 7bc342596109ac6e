import type { Decoded } from './codec.ts';
import { type Bounds, type Dialect, type Fault, Fields, maxUint32, type Raw } from './fields.ts';
import { readFilter } from './filter-fields.ts';
import type { ClientFrame, CommandKind, Commands, Position, Subscription, TopicPosition } from './frames.ts';
import { nullPayload } from './payload.ts';

/** What one command may hold, whatever the limit for whole messages is. */
const clientBounds: Bounds = { text: 1024, list: 1000 };
/** Tokens with many claims are long. */
const maxTokenLength = 16_384;
export const maxTags = 64;

const readers: { readonly [K in CommandKind]: (fields: Fields) => Commands[K] } = {
  connect: (fields) => ({
    token: fields.optionalText('token', maxTokenLength),
    client: fields.optionalText('client'),
    capabilities: fields.optionalTexts('capabilities'),
  }),
  subscribe: (fields) => {
    const subscriptions = fields.list('subscriptions', subscription);
    if (subscriptions.length === 0) fields.fail('subscriptions', 'must not be empty');
    return { subscriptions };
  },
  unsubscribe: (fields) => {
    const views = fields.integers('views');
    const topics = fields.topics('topics');
    if (views.length + topics.length === 0) fields.fail('views', 'or topics must not be empty');
    return {
      views: views.length === 0 ? undefined : views,
      topics: topics.length === 0 ? undefined : topics,
    };
  },
  publish: (fields) => ({
    topic: fields.topic('topic'),
    type: fields.text(fields.dialect.eventMember),
    payload: fields.payload() ?? nullPayload,
    key: fields.optionalText('key'),
    tags: fields.textMap('tags', maxTags),
    messageId: fields.optionalText('messageId'),
    ttlMs: fields.positive('ttlMs'),
    except: fields.optionalText('except'),
    timestampMs: fields.optionalInstant('timestampMs'),
    removed: fields.wish('removed'),
    expectedOffset: fields.present('expectedOffset'),
  }),
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
    return { roundTripMs: roundTripMs || undefined };
  },
  call: (fields) => ({ method: fields.text('method'), payload: fields.payload() }),
};

function subscription(fields: Fields): Subscription {
  return {
    topic: fields.topic('topic'),
    since: fields.optionalChild('since', position),
    positions: fields.optionalList('positions', topicPosition),
    last: fields.positive('last', maxUint32),
    filter: fields.optionalChild('filter', readFilter),
    intervalMs: fields.positive('intervalMs', maxUint32),
    conflate: fields.wish('conflate'),
    presence: fields.wish('presence'),
  };
}

function position(fields: Fields): Position {
  return { epoch: fields.anyText('epoch'), offset: fields.integer('offset') };
}

function topicPosition(fields: Fields): TopicPosition {
  return { topic: fields.topic('topic'), ...position(fields) };
}

/** The frame of a command whose fields a codec has parsed. */
export function readClientFrame(
  kind: CommandKind,
  id: number,
  raw: Raw,
  dialect: Dialect,
): Decoded<ClientFrame> {
  const faults: { first?: Fault } = {};
  const values = readers[kind](new Fields(raw, dialect, clientBounds, faults));
  if (faults.first !== undefined) return { ok: false, id, ...faults.first };
  return { ok: true, frame: { kind, id, ...values } as ClientFrame };
}
