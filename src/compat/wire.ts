import type { Fields } from '../protocol/fields.ts';
import type { Publication, WireError } from '../protocol/frames.ts';
import type { AliasCommand } from '../protocol/json/aliases.ts';
import type { Reply, ServerKind } from '../protocol/server-frames.ts';

/** A message, before it is JSON. Members that are undefined are left out. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: string };

type ReplyOf<K extends ServerKind> = Extract<Reply, { kind: K }>;

/** The system's message for each kind of frame. Kinds that are not listed are not sent. */
export type Words = { readonly [K in ServerKind]?: (reply: ReplyOf<K>) => Message };

/** Reads and writes the messages of one system. Made for the whole gateway, or for one connection. */
export interface Wire {
  /** The commands of clients, by `type`. */
  readonly commands: Readonly<Record<string, (fields: Fields) => AliasCommand>>;
  readonly words: Words;
  readonly error: (problem: Pick<WireError, 'code' | 'message'>) => Message;
  /** The message of a publication, around its payload. */
  readonly publication: (topic: string, publication: Publication) => Framing;
  /** Several messages as one. Absent: each is sent by itself. */
  readonly batch?: (topic: string, messages: readonly Uint8Array[]) => readonly (string | Uint8Array)[];
}

/** The members of a message before and after its payload. */
export interface Framing {
  readonly before: Message;
  /** `data`: the payload is the member `data`. `members`: its members are members of the message. */
  readonly payload: 'data' | 'members';
  readonly after: Readonly<Record<string, unknown>>;
}

/** Everything a wire needs. */
export interface WireOptions {
  /** The namespace of the system's topics. */
  readonly namespace: string;
  /** The current time, as the systems write it. */
  readonly now: () => string;
  /** The user of the connection, where the path names one. */
  readonly user?: string;
}

/** The name within the namespace; undefined: the topic is of another one. */
export function nameIn(namespace: string, topic: string): string | undefined {
  return topic.startsWith(`${namespace}:`) ? topic.slice(namespace.length + 1) : undefined;
}

/** The commands that all systems have. A `pong` is a client's reply to a ping, and gets none. */
export const heartbeats = {
  ping: () => ({ kind: 'ping' }),
  pong: () => ({ kind: 'ping', encodeReply: () => nothing }),
} as const satisfies Wire['commands'];

/** Encodes the reply to an unsubscribe as nothing, except errors other than `not_subscribed`. */
export function quietEnd(reply: { readonly kind: ServerKind; readonly code?: string }) {
  return reply.kind === 'unsubscribed' || reply.code === 'not_subscribed' ? nothing : undefined;
}

export const nothing = new Uint8Array(0);
