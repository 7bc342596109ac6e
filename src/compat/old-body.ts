import { isUtf8 } from 'node:buffer';
import { SluiceError } from '../errors.ts';
import { fromInstant } from '../protocol/instant.ts';
import { lastInstantMs } from '../protocol/integers.ts';
import { cutObject, memberValue, scanObject } from '../protocol/json/envelope.ts';
import { type JsonMember, type JsonText, memberName, scanJson } from '../protocol/json/scanner.ts';
import { join } from '../protocol/json/text.ts';

/** Parsing a body of this size takes a few milliseconds. */
const bodyMaxBytes = 256 * 1024;

/** Members of every message that say what it is. */
const commonMembers = ['type', 'data', 'timestamp'];

export type Members = Readonly<Record<string, unknown>>;

/** The body of a request by a backend of an older system. */
export interface OldBody {
  /** The members of the body but for `data`. */
  readonly members: Members;
  /** The members of an object `data`; those of the body, where the payload is the whole body. */
  readonly inner: Members;
  /** The payload is `data`, not the whole body. */
  readonly isEnvelope: boolean;
  readonly payload: Uint8Array;
  /** Its `timestamp`, where that is RFC 3339 and none before 1970, such as the zero of a language. */
  readonly timestampMs: number | undefined;
}

/**
 * Reads a body. The members `envelope`, and some that all systems share, say what the message is and whom it is for.
 * Where `data` has no other member beside it, the payload is `data`, byte for byte. An object `data` is given the other
 * members too, unless it has a member of that name. Where there is no `data`, or one that is no object and has others
 * beside it, the payload is the whole body.
 */
export function readOldBody(body: Uint8Array, envelope: readonly string[]): OldBody {
  if (body.length > bodyMaxBytes)
    throw new SluiceError('frame_too_large', `this body has at most ${bodyMaxBytes} bytes`);
  if (!isUtf8(body)) throw new SluiceError('invalid_json', 'the body is not UTF-8');
  const text = scanObject(body);
  if (!text.ok) throw new SluiceError('invalid_json', text.message);
  const { envelope: members, values } = cutObject(body, text, ['data']);
  const [data] = values;
  const timestampMs = instantOf(memberValue(body, text, 'timestamp'));
  const inside = data && objectIn(data);
  const inner = data && inside ? cutObject(data, inside, []).envelope : {};
  const isBeside = (name: string) =>
    !commonMembers.includes(name) && !envelope.includes(name) && !Object.hasOwn(inner, name);
  const beside = text.members.filter((member) => isBeside(memberName(body, member)));
  if (data === undefined || (inside === undefined && beside.length > 0))
    return { members, inner: members, isEnvelope: false, payload: body, timestampMs };
  const payload =
    inside === undefined || beside.length === 0 ? data : withMembers(data, inside, body, beside);
  return { members, inner, isEnvelope: true, payload, timestampMs };
}

/** The first of these members that exists, as text. Throws unless it is a text or a number. */
export function textOf(members: Members, names: readonly string[]): string | undefined {
  const name = nameOf(members, names);
  return name === undefined ? undefined : textIn(members[name], name);
}

/** The texts of the first of these members that exists: a list, or one text. Throws if it is anything else. */
export function textsOf(
  members: Members,
  max: number,
  names: readonly string[],
): readonly string[] | undefined {
  const name = nameOf(members, names);
  if (name === undefined) return undefined;
  const value = members[name];
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (all.length === 0 || all.length > max)
    throw new SluiceError('invalid_request', `${name} must be a list of 1 to ${max} entries`);
  return all.map((each) => textIn(each, name));
}

function nameOf(members: Members, names: readonly string[]): string | undefined {
  return names.find((each) => members[each] !== undefined && members[each] !== null);
}

function textIn(value: unknown, name: string): string {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && value !== '') return value;
  throw new SluiceError('invalid_request', `${name} must be a non-empty string`);
}

function instantOf(timestamp: unknown): number | undefined {
  const ms = typeof timestamp === 'string' ? fromInstant(timestamp) : undefined;
  return ms !== undefined && ms >= 0 && ms <= lastInstantMs ? ms : undefined;
}

function objectIn(json: Uint8Array): JsonText | undefined {
  const text = scanJson(json);
  return text.ok && text.kind === 'object' ? text : undefined;
}

/** The object `data`, which is `inside`, with these members of `body` before its own. */
function withMembers(data: Uint8Array, inside: JsonText, body: Uint8Array, added: readonly JsonMember[]) {
  const texts = added.map(({ nameStart, end }) => body.subarray(nameStart - 1, end));
  const own = inside.members[0];
  if (own !== undefined) texts.push(data.subarray(own.nameStart - 1, inside.end - 1));
  return join(['{', ...texts.flatMap((each, i) => (i === 0 ? [each] : [',', each])), '}']);
}
