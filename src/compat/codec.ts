import type { ClientFrame } from '../protocol/client-frames.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import type { Decoded } from '../protocol/fields.ts';
import type { Publication, SubscribeResult, WireError } from '../protocol/frames.ts';
import { toInstant } from '../protocol/instant.ts';
import { aliasOf, readAlias } from '../protocol/json/aliases.ts';
import { faultCodes, jsonDialect } from '../protocol/json/codec.ts';
import { cutMembers } from '../protocol/json/envelope.ts';
import { memberName, scanJson } from '../protocol/json/scanner.ts';
import { join, payloadPieces } from '../protocol/json/text.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import { isUtf8 } from '../protocol/utf8.ts';
import { targetProblem } from '../sessions/commands/target.ts';
import { type Framing, type Message, nothing, type Wire } from './wire.ts';

type Problem = Pick<WireError, 'code' | 'message'>;

/** The most messages of a batch, in systems that have batches. */
const batchMessagesMax = 10;

/**
 * The codec of one system: reads its messages as commands, and writes publications and frames as its messages. Frames
 * that have no counterpart in the system are not sent. A loss is reported by an error.
 */
export function compatCodec(name: string, wire: Wire, countSent?: GatewayCodec['countSent']): GatewayCodec {
  const frame = (topic: string, pieces: readonly Uint8Array[]) => {
    const messages = pieces.filter(({ length }) => length > 0);
    if (messages.length <= 1) return messages[0] ?? nothing;
    if (wire.batch === undefined) throw new Error(`${name} sends one publication at a time`);
    return join(wire.batch(topic, messages));
  };
  const encodePublication = (topic: string, publication: Publication) =>
    // None of the systems has removals.
    publication.removed === true ? nothing : messageOf(wire.publication(topic, publication), publication);
  const encodeAll = (topic: string, all: readonly Publication[]) =>
    frame(
      topic,
      all.map((publication) => encodePublication(topic, publication)),
    );
  return {
    name: `compat-${name}`,
    subprotocol: '',
    binary: false,
    publicationsPerFrame: wire.batch === undefined ? 1 : batchMessagesMax,
    countSent,
    decodeClientFrame: (message) => {
      const typed = readMessage(message);
      if (!typed.ok) return typed;
      const alias = aliasOf(typed.type, wire.commands);
      if (alias !== undefined) return checked(readAlias(alias, 0, typed.raw, jsonDialect));
      return failure('unknown_command', `unknown message type ${JSON.stringify(typed.type.slice(0, 64))}`);
    },
    peekId: () => 0,
    encodeServerFrame: (reply) => {
      if (reply.kind === 'batch' || reply.kind === 'snapshot')
        return encodeAll(reply.topic ?? '', reply.publications);
      const message = wordsFor(wire, reply);
      return message === undefined ? nothing : join([JSON.stringify(message)]);
    },
    encodePublication,
    frameBatch: (topic, _header, pieces) => frame(topic, pieces),
    frameSnapshot: ({ topic }, pieces) => frame(topic, pieces),
    // None of the systems has history.
    frameHistory: () => nothing,
  };
}

function wordsFor(wire: Wire, reply: ServerFrame): Message | undefined {
  const say = wire.words[reply.kind] as ((of: ServerFrame) => Message) | undefined;
  if (say !== undefined) return say(reply);
  const problem = problemOf(reply);
  return problem && wire.error(problem);
}

/** Errors that every system tells its clients. */
function problemOf(reply: ServerFrame): Problem | undefined {
  switch (reply.kind) {
    case 'error':
      return reply;
    case 'subscribed':
      return refusalOf(reply.results);
    case 'unsubscribed':
      return reply.reason === undefined
        ? undefined
        : { code: reply.reason, message: 'a subscription has ended' };
    case 'caughtUp': {
      const { missing, topic } = reply;
      if (missing === undefined) return undefined;
      return {
        code: 'messages_lost',
        message: `${missing.upto - missing.after} messages of ${topic} are lost`,
      };
    }
    default:
      return undefined;
  }
}

/** Names the topics where several are refused for one reason. */
function refusalOf(results: readonly SubscribeResult[]): Problem | undefined {
  const refused = results.flatMap((result) =>
    'error' in result && result.error.code !== 'already_subscribed' ? [result] : [],
  );
  const [first] = refused;
  if (first === undefined) return undefined;
  const reasons = [...new Set(refused.map(({ error }) => error.message))];
  const topics =
    reasons.length < refused.length
      ? ` (${someOf(
          refused.map(({ topic }) => topic),
          ', ',
        )})`
      : '';
  return { code: first.error.code, message: `${someOf(reasons, '; ')}${topics}` };
}

/** A message may name a thousand servers. */
const namedMax = 10;

function someOf(texts: readonly string[], separator: string): string {
  const more = texts.length - namedMax;
  return [...texts.slice(0, namedMax), ...(more > 0 ? [`and ${more} more`] : [])].join(separator);
}

/** Refuses invalid topic names also in commands that would ignore them, because such a topic can't be subscribed to. */
function checked(decoded: Decoded<ClientFrame>): Decoded<ClientFrame> {
  if (!decoded.ok || decoded.frame.kind !== 'unsubscribe') return decoded;
  const [problem] = (decoded.frame.topics ?? []).map(targetProblem).filter((each) => each !== undefined);
  return problem === undefined ? decoded : failure('invalid_topic', problem.message);
}

type FaultCode = (typeof faultCodes)[keyof typeof faultCodes] | 'unknown_command' | 'invalid_topic';

function failure(code: FaultCode, message: string) {
  return { ok: false, id: 0, code, message } as const;
}

function readMessage(message: Uint8Array) {
  if (!isUtf8(message)) return failure('invalid_json', 'the message is not UTF-8');
  const cut = cutMembers(message, []);
  if (!cut.ok) return failure(faultCodes[cut.reason ?? 'syntax'], cut.message);
  const { type } = cut.envelope;
  if (typeof type !== 'string') return failure('invalid_frame', 'type must be a string');
  return { ok: true, type, raw: cut.envelope } as const;
}

/** The message of a publication: its payload byte for byte. */
function messageOf({ before, payload, after }: Framing, publication: Publication): Uint8Array {
  const head = JSON.stringify(before).slice(0, -1);
  const members = payload === 'members' ? membersOf(publication, before) : undefined;
  const body = members?.pieces ?? payloadPieces(publication.payload);
  const rest = Object.entries(after).filter(([name]) => members?.names.has(name) !== true);
  const tail = JSON.stringify(Object.fromEntries(rest)).slice(1);
  return join([head, ...body, tail === '}' ? tail : `,${tail}`]);
}

/** The members of an object payload, except those that the message already has. */
function membersOf({ payload }: Publication, before: Message) {
  const text = payload.format === 'json' ? scanJson(payload.bytes) : undefined;
  if (text?.ok !== true || text.kind !== 'object') return undefined;
  const pieces: (string | Uint8Array)[] = [];
  const names = new Set<string>();
  for (const member of text.members) {
    const name = memberName(payload.bytes, member);
    if (Object.hasOwn(before, name)) continue;
    names.add(name);
    pieces.push(',', payload.bytes.subarray(member.nameStart - 1, member.end));
  }
  return { pieces, names };
}

/** The timestamp of a publication, in the format of the systems. */
export function timeOf({ timestampMs }: Publication): string {
  return toInstant(timestampMs);
}
