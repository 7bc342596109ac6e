import type { ClientFrame } from '../client-frames.ts';
import { isCommandKind, readClientFrame } from '../client-frames.ts';
import type { Codec } from '../codec.ts';
import type { Decoded, Dialect, Raw } from '../fields.ts';
import type { Payload, Publication } from '../frames.ts';
import { fromInstant, toInstant } from '../instant.ts';
import { maxUint32 } from '../integers.ts';
import { publishCommand } from '../publication.ts';
import type { ServerFrame } from '../server-frames.ts';
import { isUtf8 } from '../utf8.ts';
import { aliasOf, readAlias } from './aliases.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { cutObject, memberValue, scanObject } from './envelope.ts';
import { instantName } from './names.ts';
import { peekJsonId } from './peek-id.ts';
import { framePublish, isFaults, readJsonPublish } from './publish.ts';
import type { JsonText } from './scanner.ts';
import {
  encodePublication,
  frameBatch,
  frameHistory,
  frameSnapshot,
  join,
  member,
  payloadPieces,
} from './text.ts';

/** `sluice.v1.json`: one flat JSON object per text message; see the head of `proto/gateway.proto`. */
export const jsonCodec: Codec = {
  name: 'json',
  subprotocol: 'sluice.v1.json',
  binary: false,
  decodeClientFrame,
  peekId: peekJsonId,
  encodeServerFrame,
  encodePublication,
  frameBatch,
  frameSnapshot,
  frameHistory,
};

export const jsonDialect: Dialect = {
  eventMember: 'event',
  instant(raw, name) {
    const value = raw[instantName(name)] ?? null;
    return typeof value === 'string' ? fromInstant(value) : value === null ? null : undefined;
  },
  payload(raw) {
    // `data` is the bytes that were cut out of the message.
    const json = raw['data'];
    const base64 = raw['dataBase64'] ?? undefined;
    if (json instanceof Uint8Array) return base64 === undefined ? { format: 'json', bytes: json } : undefined;
    if (base64 === undefined) return null;
    const bytes = typeof base64 === 'string' ? fromBase64(base64) : undefined;
    return bytes === undefined ? undefined : { format: 'binary', bytes };
  },
  operator: (value) => value,
};

// ---- decoding ----

function failure(id: number, code: 'invalid_json' | 'invalid_frame' | 'invalid_request', message: string) {
  return { ok: false, id, code, message } as const;
}

/** Of the faults of a scan. */
export const faultCodes = {
  syntax: 'invalid_json',
  other_kind: 'invalid_frame',
  too_deep: 'invalid_json',
  too_many: 'invalid_request',
  too_long: 'invalid_request',
} as const;

/** A message whose members were found, with its type and id. */
export function openFrame(message: Uint8Array) {
  if (!isUtf8(message)) return failure(0, 'invalid_json', 'the message is not UTF-8');
  const text = scanObject(message);
  if (!text.ok) {
    const id = text.reason ? peekJsonId(message) : 0;
    return failure(id, faultCodes[text.reason ?? 'syntax'], text.message);
  }
  const type = memberValue(message, text, 'type');
  const id = memberValue(message, text, 'id') ?? 0;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > maxUint32) {
    return failure(0, 'invalid_request', `id must be an integer from 0 to ${maxUint32}`);
  }
  if (typeof type !== 'string') return failure(id, 'invalid_frame', 'type must be a string');
  return { ok: true, type, id, text } as const;
}

/** The other members, parsed, but for those of `cuts`, which are their bytes. */
export function rawOf(message: Uint8Array, text: JsonText, cuts: readonly string[]): Record<string, unknown> {
  const { envelope, values } = cutObject(message, text, cuts);
  cuts.forEach((name, i) => {
    envelope[name] = values[i];
  });
  return envelope;
}

function decodeClientFrame(message: Uint8Array): Decoded<ClientFrame> {
  const opened = openFrame(message);
  if (!opened.ok) return opened;
  const { type, id, text } = opened;
  if (!isCommandKind(type)) {
    const alias = aliasOf(type);
    if (alias !== undefined) return readAlias(alias, id, rawOf(message, text, []), jsonDialect);
    return { ok: false, id, code: 'unknown_command', message: `unknown command ${quoted(type)}` };
  }
  if (type === 'publish') return decodePublish(message, id, text);
  const raw = rawOf(message, text, ['data']);
  if (type === 'subscribe') raw['subscriptions'] ??= [raw];
  if (type === 'unsubscribe') {
    raw['views'] = withSingle(raw, 'view', 'views');
    raw['topics'] = withSingle(raw, 'topic', 'topics');
  }
  return readClientFrame(type, id, raw, jsonDialect);
}

function decodePublish(message: Uint8Array, id: number, text: JsonText): Decoded<ClientFrame> {
  const fields = readJsonPublish(message, text, framePublish);
  if (!isFaults(fields)) return { ok: true, frame: publishCommand(id, fields) };
  const [fault] = fields;
  return failure(id, 'invalid_request', `${fault?.path} ${fault?.message}`);
}

/** `{"view": 1}` is `{"views": [1]}`. */
function withSingle(raw: Raw, one: string, many: string): unknown {
  const single = raw[one] ?? undefined;
  const list = raw[many] ?? undefined;
  if (single === undefined) return list;
  return Array.isArray(list) ? [single, ...list] : [single];
}

export function quoted(text: string): string {
  return JSON.stringify(text.length <= 64 ? text : `${text.slice(0, 64)}…`);
}

// ---- encoding ----

/** The frame's members in JSON: points in time as text, absent ones left out. */
function wire(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wire);
  if (typeof value !== 'object' || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    if (name === 'tags') out[name] = inner;
    else if (instants.has(name)) out[instantName(name)] = toInstant(inner as number);
    else out[name] = wire(inner);
  }
  return out;
}

const instants: ReadonlySet<string> = new Set([
  'timestampMs',
  'timeMs',
  'connectedAtMs',
  'expiresMs',
  'sinceMs',
]);

/** `{"type":…,"id":…` with the frame's other members, then `payload`. */
export function flat(frame: { kind: string; id: number }, fields: object, payload?: Payload): Uint8Array {
  return flatText(frame, JSON.stringify(wire(fields)), payload);
}

function flatText(frame: { kind: string; id: number }, fields: string, payload?: Payload): Uint8Array {
  const rest = fields.slice(1, -1);
  const head = `{"type":"${frame.kind}"${member('id', frame.id || undefined)}${rest === '' ? '' : `,${rest}`}`;
  return join([head, ...(payload === undefined ? [] : payloadPieces(payload)), '}']);
}

function encodeServerFrame(frame: ServerFrame): Uint8Array {
  const encodeAll = (topic: string, all: readonly Publication[]) =>
    all.map((publication) => encodePublication(topic, publication));
  const { kind: _kind, id: _id, ...fields } = frame;
  switch (frame.kind) {
    case 'batch': {
      if (frame.compressed !== undefined) throw new TypeError('the JSON codec has no compression');
      const topic = frame.topic ?? '';
      return frameBatch(topic, frame, encodeAll(topic, frame.publications));
    }
    case 'snapshot':
      return frameSnapshot(frame, encodeAll(frame.topic, frame.publications));
    case 'history':
      return frameHistory(frame.id, frame, encodeAll(frame.topic, frame.publications));
    case 'message':
      return flat(frame, { event: frame.type }, frame.payload);
    case 'result':
      return flat(frame, {}, frame.payload);
    case 'dictionary': {
      const { dictionary, view, data, crc32 } = frame;
      return flat(frame, { dictionary, view, dataBase64: toBase64(data), crc32 });
    }
    case 'subscribed':
      // It has no points in time, and may list a thousand topics: copies of all would be most of its cost.
      return flatText(frame, JSON.stringify({ results: frame.results }));
    default:
      return flat(frame, fields);
  }
}
