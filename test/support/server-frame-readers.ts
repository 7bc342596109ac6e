/**
 * How a client reads the frames of the gateway, as `proto/gateway.proto` says: by the SDK's tables, which a test
 * compares with that file. The SDK has a reader of its own.
 */

import { type Field, serverFrame } from '../../src/client/wire/tables.ts';
import {
  type Bounds,
  type Decoded,
  type Dialect,
  type Fault,
  Fields,
  type Raw,
} from '../../src/protocol/fields.ts';
import type { Mode, Publication } from '../../src/protocol/frames.ts';
import { maxUint32 } from '../../src/protocol/integers.ts';
import { fromBase64 } from '../../src/protocol/json/base64.ts';
import { readOptionalFields } from '../../src/protocol/optional-fields.ts';
import { nullPayload } from '../../src/protocol/payload.ts';
import { draftPublication, seenRows } from '../../src/protocol/publication.ts';
import type { ServerFrame, ServerKind } from '../../src/protocol/server-frames.ts';

/** The gateway bounds what it sends; the message that holds it bounds the rest. */
const serverBounds: Bounds = { text: Number.POSITIVE_INFINITY, list: Number.POSITIVE_INFINITY };

type Read = (fields: Fields, name: string) => unknown;

/** The readers of single values, by the type in the tables. */
const values: Readonly<Record<string, Read>> = {
  s: (fields, name) => fields.anyText(name),
  S: (fields, name) => fields.optionalText(name),
  u: (fields, name) => fields.integer(name, maxUint32),
  U: (fields, name) => fields.positive(name, maxUint32),
  n: (fields, name) => fields.integer(name),
  i: (fields, name) => fields.optionalInstant(name) ?? 0,
  I: (fields, name) => fields.optionalInstant(name),
  b: (fields, name) => fields.presentFlag(name) ?? false,
  B: (fields, name) => fields.trueOrAbsent(name),
  O: (fields, name) => fields.presentFlag(name),
  f: (fields, name) => fields.integer(name, maxUint32),
  x: bytes,
  m: mode,
  // The end of a batch; without one it covers one offset.
  e: (fields, name) => fields.positive(name) ?? fields.integer('after', Number.MAX_SAFE_INTEGER - 1) + 1,
};

/** The readers of lists of single values. */
const lists: Readonly<Record<string, Read>> = {
  '*u': integers,
  '+s': (fields, name) => fields.optionalTexts(name),
};

const messages: Readonly<Record<string, (fields: Fields, shape: readonly Field[]) => object>> = {
  publication: readPublication,
  batch: readBatch,
  // A subscription that was refused has only its topic and error.
  result: (fields, shape) => {
    const isRefused = fields.has('error');
    return readMessage(
      fields,
      shape.filter(({ name }) => (isRefused ? ['topic', 'error'].includes(name) : name !== 'error')),
    );
  },
  message: (fields) => ({
    type: fields.anyText(fields.dialect.eventMember),
    payload: fields.payload() ?? nullPayload,
  }),
};

function readMessage(fields: Fields, shape: readonly Field[]): Raw {
  const message: Record<string, unknown> = {};
  for (const field of shape) {
    if (field.oneOf === 'payload') message['payload'] = fields.payload();
    else message[field.name] = readField(fields, field);
  }
  const { after = 0, upto = 0 } = message as { after?: number; upto?: number };
  if ('upto' in message && after > upto) fields.fail('after', 'must not be above upto');
  return message;
}

function readField(fields: Fields, { name, type, many, isList, fields: shape }: Field): unknown {
  if (shape === undefined) return (isList ? lists[many + type] : values[type])?.(fields, name);
  const read = (inner: Fields) => (messages[type] ?? readMessage)(inner, shape);
  if (many === '!') return fields.child(name, read);
  if (many === '?') return fields.optionalChild(name, read);
  const all = fields.list(name, read);
  return many === '+' && all.length === 0 ? undefined : all;
}

const compressedBody = ['deflate', 'plainBytes', 'crc32', 'dictionary'];

function readBatch(fields: Fields, shape: readonly Field[]): Raw {
  if (!fields.has('deflate')) {
    const plain = shape.filter(({ name }) => !compressedBody.includes(name));
    return { ...readMessage(fields, plain), compressed: undefined };
  }
  const { deflate, plainBytes, crc32, dictionary, ...batch } = readMessage(fields, shape);
  const isEmpty = (deflate as Uint8Array).length === 0 && crc32 === 0;
  return { ...batch, compressed: isEmpty ? undefined : { deflate, plainBytes, crc32, dictionary } };
}

/** The frame of a kind whose fields a codec has parsed. */
export function readServerFrame(
  kind: ServerKind,
  id: number,
  raw: Raw,
  dialect: Dialect,
): Decoded<ServerFrame> {
  const faults: { first?: Fault } = {};
  const shape = serverFrame.find(({ name }) => name === kind)?.fields ?? [];
  const values = (messages[kind] ?? readMessage)(new Fields(raw, dialect, serverBounds, faults), shape);
  if (faults.first !== undefined) return { ok: false, id, ...faults.first };
  return { ok: true, frame: { kind, id, ...values } as ServerFrame };
}

function readPublication(fields: Fields): Publication {
  const publication = draftPublication(
    fields.integer('offset'),
    fields.optionalInstant('timestampMs') ?? 0,
    fields.anyText('type'),
    fields.payload() ?? nullPayload,
  );
  readOptionalFields(fields, seenRows, publication);
  return publication;
}

/** A name in JSON, a number in protobuf. */
function mode(fields: Fields, name: string): Mode {
  const value = fields.raw[name];
  if (value === 'state' || value === 1) return 'state';
  if (value !== 'stream' && value !== 0 && value !== undefined) fields.fail(name, 'is unknown');
  return 'stream';
}

/** Bytes that are no payload: in JSON as base64. */
function bytes(fields: Fields, name: string): Uint8Array {
  const value = fields.raw[name];
  // The default of the generated code is a Buffer.
  if (fields.dialect.eventMember === 'type')
    return value instanceof Uint8Array && value.length > 0 ? value : new Uint8Array(0);
  const base64 = fields.raw[`${name}Base64`];
  const read = typeof base64 === 'string' ? fromBase64(base64) : undefined;
  if (read === undefined) fields.fail(name, 'must be bytes');
  return read ?? new Uint8Array(0);
}

function integers(fields: Fields, name: string): readonly number[] {
  const given = (fields.raw[name] ?? []) as readonly number[];
  const isList = Array.isArray(given) && given.every((one) => one >= 0 && one <= maxUint32 && one % 1 === 0);
  if (!isList) fields.fail(name, 'must be a list of integers');
  return isList ? given : [];
}
