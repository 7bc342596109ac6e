/**
 * The codecs of the gateway with the other side as well, which writes commands and reads frames as
 * `proto/gateway.proto` says: for tests and benches. The SDK has codecs of its own.
 */

import { fileURLToPath } from 'node:url';
import protobufjs from 'protobufjs';
import type { ClientFrame } from '../../src/protocol/client-frames.ts';
import type { Codec as GatewaySide } from '../../src/protocol/codec.ts';
import type { Decoded, Raw } from '../../src/protocol/fields.ts';
import type { Filter, Subscription } from '../../src/protocol/frames.ts';
import * as json from '../../src/protocol/json/codec.ts';
import { scanObject } from '../../src/protocol/json/envelope.ts';
import { scanJson } from '../../src/protocol/json/scanner.ts';
import * as protobuf from '../../src/protocol/protobuf/codec.ts';
import { type fromClient, Reader } from '../../src/protocol/protobuf/schema.ts';
import { operators, payloadToWire } from '../../src/protocol/protobuf/wire.ts';
import { isServerKind, type ServerFrame } from '../../src/protocol/server-frames.ts';
import { readServerFrame } from './server-frame-readers.ts';

/** protobufjs by the specification itself: the generated code has only what the gateway needs. */
const specification = protobufjs.loadSync(
  fileURLToPath(new URL('../../proto/gateway.proto', import.meta.url)),
);
const [clientFrame, serverFrame, batch] = ['ClientFrame', 'ServerFrame', 'Batch'].map((name) =>
  specification.lookupType(`sluice.v1.${name}`),
) as [protobufjs.Type, protobufjs.Type, protobufjs.Type];

export function encodeClientMessage(message: fromClient.ClientFrame.$Properties): Uint8Array {
  // Not a Buffer, whose parts a decoder would hand on.
  return new Uint8Array(clientFrame.encode(message).finish());
}

export function decodeServerMessage(message: Uint8Array): Raw {
  return serverFrame.decode(new Reader(message)) as unknown as Raw;
}

/** Both sides of a wire of the protocol. */
export interface Codec extends GatewaySide {
  encodeClientFrame(frame: ClientFrame): Uint8Array;
  /** Never throws. Payloads are views into the message. */
  decodeServerFrame(message: Uint8Array): Decoded<ServerFrame>;
}

export const protobufCodec: Codec & typeof protobuf.protobufCodec = {
  ...protobuf.protobufCodec,
  encodeClientFrame: (frame) => encodeClientMessage(clientFrameToWire(frame)),
  decodeServerFrame(message) {
    try {
      const frame = decodeServerMessage(message);
      const { id, kind } = frame as { id: number; kind?: ServerFrame['kind'] };
      if (kind === undefined) return { ok: false, id, code: 'unknown_command', message: 'unknown frame' };
      return readServerFrame(kind, id, frame[kind] as Raw, protobuf.protobufDialect);
    } catch {
      return { ...malformed, id: protobuf.protobufCodec.peekId(message) };
    }
  },
};

export const jsonCodec: Codec = {
  ...json.jsonCodec,
  encodeClientFrame(frame) {
    const { kind: _kind, id: _id, ...fields } = frame;
    switch (frame.kind) {
      case 'publish': {
        const { topic, type, payload, tags, kind: _k, id: _i, ...rest } = frame;
        return json.flat(frame, { topic, event: type, tags, ...rest }, payload);
      }
      case 'call':
        return json.flat(frame, { method: frame.method }, frame.payload);
      case 'subscribe': {
        const only = frame.subscriptions.length === 1 ? frame.subscriptions[0] : undefined;
        return json.flat(frame, only ?? fields);
      }
      default:
        return json.flat(frame, fields);
    }
  },
  decodeServerFrame(message) {
    const opened = json.openFrame(message);
    if (!opened.ok) return opened;
    const { type, id, text } = opened;
    const raw = json.rawOf(message, text, ['data', 'messages']);
    if (!isServerKind(type)) {
      if (!isFlatPublication(raw))
        return { ok: false, id, code: 'unknown_command', message: `unknown frame ${json.quoted(type)}` };
      return readServerFrame('batch', 0, batchOfFlat(raw), json.jsonDialect);
    }
    const messages = raw['messages'];
    raw['publications'] = messages instanceof Uint8Array ? publications(messages) : undefined;
    return readServerFrame(type, id, type === 'batch' ? batchOf(raw) : raw, json.jsonDialect);
  },
};

export const codecs: Readonly<Record<Codec['name'], Codec>> = { protobuf: protobufCodec, json: jsonCodec };

/** The publications of a run: what `encodePublication` yields, again and again. Never throws. */
export function decodeRun(run: Uint8Array): Decoded<ServerFrame> {
  try {
    const { publications } = batch.decode(new Reader(run)) as unknown as Raw;
    return readServerFrame('batch', 0, { publications }, protobuf.protobufDialect);
  } catch {
    return { ...malformed, id: 0 };
  }
}

// ---- protobuf

const malformed = {
  ok: false,
  code: 'invalid_frame',
  message: 'the message is not a protobuf frame',
} as const;

function clientFrameToWire(frame: ClientFrame): fromClient.ClientFrame.$Properties {
  const { id } = frame;
  switch (frame.kind) {
    case 'publish': {
      const { payload, ...rest } = frame;
      return { id, publish: { ...rest, ...payloadToWire(payload) } };
    }
    case 'call':
      return { id, call: { method: frame.method, ...payloadToWire(frame.payload) } };
    case 'subscribe':
      return { id, subscribe: { subscriptions: frame.subscriptions.map(subscriptionToWire) } };
    default:
      return { id, [frame.kind]: frame };
  }
}

function subscriptionToWire(subscription: Subscription): fromClient.Subscription.$Properties {
  const { filter, positions, keys, ...rest } = subscription;
  const lists = { positions: positions?.slice(), keys: keys?.slice() };
  return { ...rest, ...lists, filter: filter && filterToWire(filter) };
}

function filterToWire(filter: Filter): fromClient.Filter.$Properties {
  const op = operators[filter.op];
  if ('filters' in filter) return { op, filters: filter.filters.map(filterToWire) };
  if ('values' in filter) return { op, tag: filter.tag, values: filter.values.slice() };
  if ('value' in filter) return { op, tag: filter.tag, values: [filter.value] };
  return 'number' in filter ? { op, tag: filter.tag, number: filter.number } : { op, tag: filter.tag };
}

// ---- JSON

function isFlatPublication(raw: Raw): boolean {
  return raw['offset'] !== undefined && raw['timestamp'] !== undefined && raw['view'] !== undefined;
}

function batchOfFlat(raw: Raw): Raw {
  const offset = raw['offset'];
  const after = typeof offset === 'number' ? offset - 1 : undefined;
  return batchOf({ ...raw, after, upto: offset, publications: [raw] });
}

/** JSON always says the topic, for people; a frame says it only in views of a pattern, which also say the epoch. */
function batchOf(raw: Raw): Raw {
  return { ...raw, topic: raw['epoch'] === undefined ? undefined : raw['topic'], deflate: undefined };
}

/** What is neither list nor object becomes `false`, which the reader refuses. */
function publications(messages: Uint8Array): unknown {
  const list = scanJson(messages);
  if (!list.ok || list.kind !== 'array') return false;
  return list.elements.map(({ start, end }) => {
    const element = messages.subarray(start, end);
    const text = scanObject(element);
    return text.ok && json.rawOf(element, text, ['data']);
  });
}
