import type { CommandKind, Commands } from '../../protocol/client-frames.ts';
import { lastInstantMs, maxUint32 } from '../../protocol/integers.ts';
import type { Publication, PublishFields } from '../../protocol/publication.ts';
import type { ServerKind, ServerKinds } from '../../protocol/server-frames.ts';

const publication = 'offset:n timestampMs:i type:s json:j binary:k key:S tags:t removed:B';
const publish =
  'topic:r type:r json:j binary:k key:S tags:t messageId:S ttlMs:P except:S timestampMs:I removed:B expectedOffset:N pipelined:B';

type NamesOf<Text extends string> = Text extends `${infer Name}:${string} ${infer Rest}`
  ? Name | NamesOf<Rest>
  : Text extends `${infer Name}:${string}`
    ? Name
    : never;

/** Does not compile if the two texts above lack a member of a publication. */
const lacking: readonly (
  | Exclude<keyof Publication, NamesOf<typeof publication> | 'payload'>
  | Exclude<keyof PublishFields, NamesOf<typeof publish> | 'payload'>
)[] = [];
lacking satisfies readonly never[];

/**
 * The messages of `proto/gateway.proto` between a client and the gateway, in as few bytes as possible: their fields
 * `name:type` in the order of their numbers. A test compares them with the proto file.
 *
 * Types, in capitals where the default of proto3 means absence:
 * - `s` text, `r` text that has to be there, `t` a map of texts, as a list of its entries, `x` bytes;
 * - `u` uint32, `n` and `P` an integer up to 2^53-1, `i` an instant, `d` double, `f` fixed32, `b` true or false;
 * - `N` and `O` an integer and a boolean whose absence is told apart from 0 and false;
 * - `j` and `k` a payload as JSON and as bytes, `m` the mode, `o` the operator of a filter;
 * - `e` the end of a batch (0: one after its beginning); a name is that of a message.
 *
 * `*` begins a list, `+` one that is absent when it is empty, `!` a message that has to be there, `?` one that may be
 * absent.
 */
const messages = {
  t: '0:r 1:s',
  limits: 'frameMaxBytes:u payloadMaxBytes:u subscriptions:u commandsPerSecond:u idleTimeoutMs:u',
  range: 'after:n upto:n',
  result:
    'topic:s error:?failure view:u mode:m epoch:s offset:n recovered:O missing:?range topics:+topicResult intervalMs:U cursor:S inbox:B',
  topicResult: 'topic:s epoch:s offset:n recovered:O missing:?range mode:m',
  failure: 'code:s number:u message:s retry:b retryAfterMs:U',
  publication,
  member: 'session:s user:S sinceMs:i',
  held: 'topic:s view:u',
  position: 'epoch:s offset:n',
  ack: 'view:u offset:n epoch:S',
  topicPosition: 'topic:r epoch:s offset:n',
  filter: 'op:o tag:s values:*s number:d filters:*filter',
  subscription:
    'topic:r since:?position positions:*topicPosition last:U filter:?filter intervalMs:U conflate:B presence:B cursor:S keys:*s token:S',
} as const;

/** In the order of their numbers in ServerFrame, from 2. */
const serverKinds = {
  connected: 'session:s timeMs:i version:s user:S limits:!limits capabilities:+s expiresMs:I degraded:B',
  subscribed: 'results:*result',
  unsubscribed: 'views:*u reason:S',
  published: 'epoch:s offset:n duplicate:b',
  history: 'topic:s epoch:s after:n upto:n more:b publications:*publication missing:?range',
  presence: 'topic:s members:*member count:u',
  status: 'session:s user:S connectedAtMs:i messageCount:n subscriptions:*held timeMs:i',
  refreshed: 'expiresMs:I',
  pong: 'timeMs:i',
  result: 'json:J binary:K',
  error: messages.failure,
  batch:
    'view:u topic:S epoch:S after:n upto:e publications:*publication deflate:x plainBytes:u crc32:f dictionary:u cursor:S',
  reset: 'view:u topic:s epoch:s offset:n mode:m',
  snapshot: 'view:u topic:s epoch:s offset:n first:b publications:*publication last:b partial:B',
  joined: 'topic:s member:!member',
  left: 'topic:s member:!member',
  lagging: 'views:*u',
  caughtUp: 'view:u topic:s epoch:s offset:n recovered:b missing:?range cursor:S',
  message: 'type:s json:j binary:k',
  goingAway: 'reconnectDelayMs:u reason:s',
  dictionary: 'dictionary:u view:u data:x crc32:f',
  tokenExpiring: 'expiresMs:i',
  gatewayState: 'degraded:b',
} as const satisfies Readonly<Record<ServerKind, string>>;

/** In the order of their numbers in ClientFrame, from 2. */
const commands = {
  connect: 'token:S client:S capabilities:*s',
  subscribe: 'subscriptions:*subscription',
  unsubscribe: 'views:*u topics:*s',
  publish,
  history: 'topic:r after:N limit:U',
  presence: 'topic:r',
  status: '',
  refresh: 'token:r',
  ping: 'roundTripMs:d acks:+ack',
  call: 'method:r json:J binary:K',
  setKeys: 'view:u keys:*s',
} as const satisfies Readonly<Record<CommandKind, string>>;

type Lacking<Kinds, Table extends Readonly<Record<keyof Kinds, string>>> = {
  [K in keyof Kinds]: Exclude<keyof Kinds[K], NamesOf<Table[K]> | 'payload' | 'compressed' | 'prefix'>;
}[keyof Kinds];

/** Does not compile if a kind of frame or a command has a member that its text above lacks. */
const lackingOfFrames: readonly (
  | Lacking<ServerKinds, typeof serverKinds>
  | Lacking<Commands, typeof commands>
)[] = [];
lackingOfFrames satisfies readonly never[];

/** The kind of frame that replies to each command. */
export interface ReplyKinds {
  connect: 'connected';
  subscribe: 'subscribed';
  unsubscribe: 'unsubscribed';
  publish: 'published';
  history: 'history';
  presence: 'presence';
  status: 'status';
  refresh: 'refreshed';
  ping: 'pong';
  call: 'result';
  setKeys: 'subscribed';
}

export interface Field {
  readonly name: string;
  /** One letter, or `message` for a field with `fields`. */
  readonly type: string;
  /** `*`, `+`, `!`, `?` or nothing. */
  readonly many: string;
  /** The fields of the message that it holds; of tags, those of an entry: a pair. */
  readonly fields: readonly Field[] | undefined;
  readonly isList: boolean;
  readonly isText: boolean;
  /** 0, false and an empty text mean absence. */
  readonly isOptional: boolean;
  /** The value in place of an absent one. */
  readonly standard: unknown;
  /** The largest integer; undefined: the value is none. */
  readonly max: number | undefined;
  /** The oneof of this field. */
  readonly oneOf: 'payload' | 'frame' | undefined;
  /** 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
  readonly wireType: number;
  /** Of a varint: 32 or 64; 70, as many as it can have, for true or false. */
  readonly bits: number;
}

/** By the type of the field. Other types have none. */
const standards: Readonly<Record<string, unknown>> = {
  s: '',
  r: '',
  b: false,
  u: 0,
  n: 0,
  i: 0,
  f: 0,
  m: 0,
  x: new Uint8Array(),
  // `null`, in bytes: the SDK makes no encoder before it is used.
  j: ['json', Uint8Array.of(110, 117, 108, 108)],
};

const maxInteger = 2 ** 53 - 1;
/** The largest integer, by the type of the field in small letters. */
const largest: Readonly<Record<string, number>> = {
  u: maxUint32,
  i: lastInstantMs,
  m: 1,
  n: maxInteger,
  p: maxInteger,
  e: maxInteger,
};

function field(name: string, type: string, many = '', fields?: readonly Field[], isFrame = false): Field {
  const isText = 'srS'.includes(type);
  const isPayload = 'jJkK'.includes(type);
  const isList = '*+t'.includes(many || type);
  return {
    name,
    type,
    many,
    fields,
    isList,
    isText,
    isOptional: /^[A-MP-Z]$/.test(type),
    standard: isList ? undefined : standards[type],
    max: largest[type.toLowerCase()],
    oneOf: isFrame ? 'frame' : isPayload ? 'payload' : undefined,
    wireType: fields || isText || isPayload || type === 'x' ? 2 : type === 'd' ? 1 : type === 'f' ? 5 : 0,
    bits: 'uUm'.includes(type) ? 32 : 'bBO'.includes(type) ? 70 : 64,
  };
}

const known: Record<string, readonly Field[]> = {};

function fieldsOf(text: string): readonly Field[] {
  if (known[text]) return known[text];
  const fields: Field[] = [];
  known[text] = fields;
  for (const [, name = '', many = '', type = ''] of text.matchAll(/(\w+):(\W?)(\w+)/g)) {
    const inner: string | undefined = messages[type as keyof typeof messages];
    fields.push(field(name, type, many, inner ? fieldsOf(inner) : undefined));
  }
  return fields;
}

function frame(kinds: Readonly<Record<string, string>>): readonly Field[] {
  const inner = Object.keys(kinds).map((name) =>
    field(name, name, '', fieldsOf(kinds[name] as string), true),
  );
  return [field('id', 'u'), ...inner];
}

export const serverFrame: readonly Field[] = frame(serverKinds);
export const clientFrame: readonly Field[] = frame(commands);

/** The fields of a frame of this kind. */
export function fieldsOfKind(frames: readonly Field[], kind: string): readonly Field[] {
  return frames.find(({ name }) => name === kind)?.fields as readonly Field[];
}

export const subscriptionFields: readonly Field[] = fieldsOf(messages.subscription);
