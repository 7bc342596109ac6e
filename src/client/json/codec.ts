import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { Tags } from '../../protocol/frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import type { ClientCodec } from '../wire/codec.ts';

/** A publication as the application gets it. Receivers share it, so it must not be changed. */
export interface JsonPublication<T = unknown> {
  readonly topic: string;
  readonly offset: number;
  /** Milliseconds since 1970, by the publisher's or the gateway's clock. */
  readonly timestampMs: number;
  readonly type: string;
  readonly key?: string;
  readonly tags?: Tags;
  /** State topics: the key has no value any more. */
  readonly removed?: boolean;
  /** The payload by `JSON.parse`, or the bytes of a binary one. Not checked against T. */
  readonly data: T;
}

type Raw = Record<string, unknown>;

/** `sluice.v1.json`. Its frames hold publications of the type above, and `data` in place of a payload. */
export const jsonCodec: ClientCodec<string> = {
  subprotocol: 'sluice.v1.json',
  encode: ({ kind, ...fields }: ClientFrame) => JSON.stringify({ ...fields, type: kind }),
  decode: (message) => readJsonFrame(JSON.parse(message as string) as Raw),
};

/** A frame of the JSON codec, parsed. */
export function readJsonFrame(parsed: Raw): ServerFrame {
  const { type, id = 0, ...raw } = frameFields(parsed);
  if (typeof type !== 'string') throw new TypeError();
  if (!('timestampMs' in raw && 'view' in raw)) return { ...raw, kind: type, id } as unknown as ServerFrame;
  // One publication is a frame of its own.
  const { view, epoch, cursor, ...publication } = raw;
  const { topic, offset } = publication as unknown as JsonPublication;
  const publications = [{ ...publication, type }];
  const range = { after: offset - 1, upto: offset };
  return { kind: 'batch', id, view, epoch, topic, cursor, ...range, publications } as unknown as ServerFrame;
}

/** Members that are points in time: text in JSON, numbers with names in `Ms` otherwise. */
const instants = /^(timestamp|time|connectedAt|expires|since)$/;

/** The members of a frame, with the names and values of the protobuf codec. */
function frameFields(raw: Raw): Raw {
  const fields: Raw = {};
  for (const [name, value] of Object.entries(raw)) {
    if (name === 'data' || name === 'tags') fields[name] = value;
    else if (name === 'dataBase64') fields['data'] = Uint8Array.from(atob(value as string), codeOf);
    else if (name === 'messages') fields['publications'] = inner(value);
    else if (typeof value === 'string' && instants.test(name)) fields[`${name}Ms`] = Date.parse(value);
    else fields[name] = inner(value);
  }
  return fields;
}

function inner(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inner);
  return typeof value === 'object' && value !== null ? frameFields(value as Raw) : value;
}

function codeOf(character: string): number {
  return character.charCodeAt(0);
}
