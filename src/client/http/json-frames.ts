import type { Payload, PublishFields, ServerFrame } from '../../protocol/frames.ts';

type Raw = Record<string, unknown>;

const utf8 = new TextEncoder();

/** A frame of the JSON codec as the other codec has it. Payloads are JSON anew: `1.0` has become `1`. */
export function readJsonFrame(raw: Raw): ServerFrame {
  const { type, id = 0, ...rest } = raw;
  const fields = membersOf(rest);
  // A publication alone is flat: its type is the frame's.
  if (!('offset' in rest && 'view' in rest && ('data' in rest || 'dataBase64' in rest))) {
    return { ...fields, kind: type, id } as unknown as ServerFrame;
  }
  const { view, epoch, topic, cursor, ...publication } = fields;
  const upto = rest['offset'] as number;
  const publications = [{ ...publication, type }];
  const batch = { kind: 'batch', id, view, epoch, topic, cursor, after: upto - 1, upto, publications };
  return batch as unknown as ServerFrame;
}

/** What `POST /api/publish` takes. */
export function publishBody({ payload, timestampMs, ...fields }: PublishFields): string {
  const timestamp = timestampMs === undefined ? undefined : new Date(timestampMs).toISOString();
  const envelope = JSON.stringify({ ...fields, timestamp });
  const data =
    payload.format === 'json'
      ? `"data":${new TextDecoder().decode(payload.bytes) || 'null'}`
      : `"dataBase64":"${btoa(String.fromCharCode(...payload.bytes))}"`;
  return `${envelope.slice(0, -1)},${data}}`;
}

/** Members that are instants: JSON has them as text, without the unit in their name. */
const instants = /^(timestamp|time|connectedAt|expires|since)$/;

function membersOf(raw: Raw): Raw {
  const members: Raw = {};
  for (const [name, value] of Object.entries(raw)) {
    if (name === 'data') members['payload'] = jsonPayload(value);
    else if (name === 'dataBase64') members['payload'] = binaryPayload(value as string);
    else if (name === 'messages') members['publications'] = memberOf(value);
    else if (name === 'tags') members['tags'] = value;
    else if (typeof value === 'string' && instants.test(name)) members[`${name}Ms`] = Date.parse(value);
    else members[name] = memberOf(value);
  }
  return members;
}

function memberOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(memberOf);
  return typeof value === 'object' && value !== null ? membersOf(value as Raw) : value;
}

function jsonPayload(data: unknown): Payload {
  return { format: 'json', bytes: utf8.encode(JSON.stringify(data)) };
}

function binaryPayload(base64: string): Payload {
  return { format: 'binary', bytes: Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)) };
}
