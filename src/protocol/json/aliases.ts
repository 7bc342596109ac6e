import type { ClientFrame, CommandHead, CommandKind, Commands } from '../client-frames.ts';
import { clientBounds } from '../client-frames.ts';
import type { Decoded } from '../fields.ts';
import { type Dialect, type Fault, Fields, type Raw } from '../fields.ts';
import { toInstant } from '../instant.ts';
import type { ServerFrame } from '../server-frames.ts';
import { join, member, payloadPieces } from './text.ts';

/** Any command, without its id. */
export type AliasCommand = {
  [K in CommandKind]: { readonly kind: K } & Pick<CommandHead, 'encodeReply'> & Commands[K];
}[CommandKind];

/** Reads a message whose name is not the protocol's own. Faults are kept in `fields`. */
export type Alias = (fields: Fields) => AliasCommand;

export interface AliasNamespaces {
  readonly rooms: string;
  readonly jobs: string;
}

/**
 * Names of messages of the systems that Sluice replaces, as commands. The JSON codec takes them beside its own names,
 * with the namespaces `room` and `job`; a path of such a system (`src/compat/`) takes its part of them.
 */
export function aliasesIn({ rooms, jobs }: AliasNamespaces) {
  return {
    join_job: (fields) => subscribe(topicIn(jobs, fields, jobMembers)),
    leave_job: (fields) => unsubscribe(topicIn(jobs, fields, jobMembers)),
    room_subscribe: (fields) => subscribe(topicIn(rooms, fields, roomMembers)),
    room_unsubscribe: (fields) => unsubscribe(topicIn(rooms, fields, roomMembers)),
    get_status: () => ({ kind: 'status', encodeReply: (reply) => statusText(reply, (topic) => topic) }),
    stats: () => ({ kind: 'call', method: 'stats', encodeReply: statsText }),
  } as const satisfies Readonly<Record<string, Alias>>;
}

const jobMembers = ['job_id', 'jobId'];
const roomMembers = ['room', 'room_id', 'roomId'];

const native: Readonly<Record<string, Alias>> = aliasesIn({ rooms: 'room', jobs: 'job' });

/** How a message of this name is read; undefined: there is no such name. */
export function aliasOf(name: string, aliases = native): Alias | undefined {
  return Object.hasOwn(aliases, name) ? aliases[name] : undefined;
}

export function readAlias(alias: Alias, id: number, raw: Raw, dialect: Dialect): Decoded<ClientFrame> {
  const faults: { first?: Fault } = {};
  const command = alias(new Fields(raw, dialect, clientBounds, faults));
  if (faults.first !== undefined) return { ok: false, id, ...faults.first };
  return { ok: true, frame: { id, ...command } };
}

function subscribe(topic: string): AliasCommand {
  return { kind: 'subscribe', subscriptions: [{ topic }] };
}

function unsubscribe(topic: string): AliasCommand {
  return { kind: 'unsubscribe', topics: [topic] };
}

/** The topic that one of these members names, here or in `data`. */
export function topicIn(namespace: string, fields: Fields, members: readonly string[]): string {
  const name = textIn(fields, members);
  // One room or job, not all whose names begin alike.
  if (name.endsWith('*')) fields.fail(members[0] as string, 'must not be a pattern', 'invalid_topic');
  return `${namespace}:${name}`;
}

/** The text of the first of these members that exists, in the message or in its `data`. A number is its digits. */
export function textIn(fields: Fields, members: readonly string[]): string {
  const places = [fields, fields.optionalChild('data', (data) => data)];
  for (const place of places) {
    const name = place && members.find((each) => place.has(each));
    if (place === undefined || name === undefined) continue;
    const value = place.raw[name];
    return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : place.text(name);
  }
  fields.fail(members[0] as string, 'is missing');
  return '';
}

/** `status` with its subscriptions by name. `connected_at`: seconds since 1970. */
export function statusText(
  reply: ServerFrame,
  nameOf: (topic: string) => string | undefined,
): Uint8Array | undefined {
  if (reply.kind !== 'status') return undefined;
  const names = reply.subscriptions.map(({ topic }) => nameOf(topic)).filter((name) => name !== undefined);
  const text = JSON.stringify({
    type: 'status',
    id: reply.id || undefined,
    connected_at: reply.connectedAtMs / 1000,
    subscriptions: [...new Set(names)],
    message_count: reply.messageCount,
    timestamp: toInstant(reply.timeMs),
  });
  return join([text]);
}

function statsText(reply: ServerFrame): Uint8Array | undefined {
  if (reply.kind !== 'result' || reply.payload === undefined) return undefined;
  return join([
    `{"type":"stats"${member('id', reply.id || undefined)}`,
    ...payloadPieces(reply.payload),
    `${member('timestamp', toInstant(Date.now()))}}`,
  ]);
}
