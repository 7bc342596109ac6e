import type { Commands } from '../../protocol/client-frames.ts';
import type { Payload, PublishFields } from '../../protocol/frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import { readJsonFrame } from '../json/codec.ts';

type RequestFields =
  | PublishFields
  | ({ readonly method: string; readonly payload?: Payload | undefined } & {
      readonly timestampMs?: undefined;
    });
type Raw = Readonly<Record<string, unknown>>;

/** Arguments of one call: engines take at least 65 535. */
const charactersPerCall = 0x8000;

/** What each of these frames has. One that lacks it is not the gateway's: another server has responded. */
const needed: { readonly [kind: string]: readonly string[] } = {
  connected: ['session', 'limits'],
  subscribed: ['results'],
  published: ['epoch', 'offset'],
  result: ['data'],
  history: ['epoch', 'publications'],
  error: ['code'],
};

/**
 * A parsed frame of the JSON codec as the protobuf codec has it. Payloads are written again: `1.0` becomes `1`. Throws
 * if it is not a frame of the gateway.
 */
export function readHttpFrame(parsed: Record<string, unknown>): ServerFrame {
  const frame = readJsonFrame(parsed) as unknown as Raw;
  const lacking = needed[frame['kind'] as string]?.find((name) => !(name in frame));
  if (lacking) throw new TypeError(`no ${lacking}`);
  const publications = frame['publications'] as readonly Raw[] | undefined;
  if (publications)
    return { ...frame, publications: publications.map(withPayload) } as unknown as ServerFrame;
  return ('data' in frame ? withPayload(frame) : frame) as unknown as ServerFrame;
}

/** The body of `POST /api/publish` and `POST /api/call`. */
export function requestBody({ payload, timestampMs, ...fields }: RequestFields): string {
  const timestamp = timestampMs === undefined ? undefined : new Date(timestampMs).toISOString();
  const envelope = JSON.stringify({ ...fields, timestamp });
  const data =
    payload?.format !== 'binary'
      ? `"data":${new TextDecoder().decode(payload?.bytes) || 'null'}`
      : `"dataBase64":"${base64(payload.bytes)}"`;
  return `${envelope.slice(0, -1)},${data}}`;
}

function withPayload({ data, ...rest }: Raw): Raw {
  // Only base64 is read as bytes.
  const payload: Payload =
    data instanceof Uint8Array
      ? { format: 'binary', bytes: data }
      : { format: 'json', bytes: new TextEncoder().encode(JSON.stringify(data ?? null)) };
  return { ...rest, payload };
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += charactersPerCall) {
    text += String.fromCharCode(...bytes.subarray(i, i + charactersPerCall));
  }
  return btoa(text);
}

export function historyPath({ topic, after, limit }: Commands['history']): string {
  const query = new URLSearchParams();
  if (after !== undefined) query.append('after', String(after));
  if (limit !== undefined) query.append('limit', String(limit));
  return `api/topics/${encodeURIComponent(topic)}/history?${query}`;
}
