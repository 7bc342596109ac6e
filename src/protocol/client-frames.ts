import type { Decoded } from './codec.ts';
import { type Bounds, type Dialect, type Fault, Fields, maxUint32, type Raw } from './fields.ts';
import { readFilter } from './filter-fields.ts';
import type {
  Ack,
  ClientFrame,
  CommandKind,
  Commands,
  Position,
  Subscription,
  TopicPosition,
} from './frames.ts';
import { readOptionalFields } from './optional-fields.ts';
import { nullPayload } from './payload.ts';
import { draftPublish, fieldRows, type PublishFields, publishCommand } from './publication.ts';
import { canonicalTopic } from './user-topics.ts';

/** What one command may hold, whatever the limit for whole messages is. */
export const clientBounds: Bounds = { text: 1024, list: 1000 };
/** Tokens with many claims are long. */
const maxTokenLength = 16_384;

const readers: { readonly [K in CommandKind]: (fields: Fields) => Commands[K] } = {
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
};

function readPublish(fields: Fields): PublishFields {
  // Lengths are judged by the broker.
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
  };
}

/** A position that is none is left out: then the gateway sends all that it keeps of that topic. */
function positions(fields: Fields): readonly TopicPosition[] | undefined {
  const entries = fields.listApart('positions', topicPosition);
  if (entries.length === 0) return undefined;
  return entries.filter(({ fault }) => fault === undefined).map(({ value }) => value);
}

function ack(fields: Fields): Ack {
  return { view: fields.integer('view', maxUint32), offset: fields.integer('offset') };
}

function present<T>(values: readonly T[]): readonly T[] | undefined {
  return values.length === 0 ? undefined : values;
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
  const frame = kind === 'publish' ? publishCommand(id, values as PublishFields) : { kind, id, ...values };
  return { ok: true, frame: frame as ClientFrame };
}
