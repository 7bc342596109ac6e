import {
  type Bounds,
  type Decoded,
  type Dialect,
  type Fault,
  Fields,
  maxUint32,
  type Raw,
} from './fields.ts';
import { readFilter } from './filter-fields.ts';
import type { Ack, Payload, Position, Subscription, TopicPosition } from './frames.ts';
import { readOptionalFields } from './optional-fields.ts';
import { nullPayload } from './payload.ts';
import { draftPublish, fieldRows, type PublishFields, publishCommand } from './publication.ts';
import type { ServerFrame } from './server-frames.ts';
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

export type CommandKind = keyof Commands;

/** What every command has. */
export interface CommandHead {
  /** 0: its reply carries none. */
  readonly id: number;
  /**
   * Encodes its reply in another way than its codec does. Undefined: this reply is encoded by the codec. Never on the
   * wire.
   */
  readonly answer?: (reply: ServerFrame) => Uint8Array | undefined;
}

/** A command. */
export type ClientFrame = {
  [K in CommandKind]: { readonly kind: K } & CommandHead & Commands[K];
}[CommandKind];

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
  setKeys: (fields) => {
    const keys = fields.texts('keys');
    if (keys.length === 0) fields.fail('keys', 'must not be empty');
    return { view: fields.integer('view', maxUint32), keys };
  },
};

export const commandKinds = Object.keys(readers) as CommandKind[];

export function isCommandKind(name: string): name is CommandKind {
  return Object.hasOwn(readers, name);
}

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
