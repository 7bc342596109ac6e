import { type Payload, type PublishFields, publishFrom } from '../protocol/publication.ts';
import type { AppendOutcome, AppendRequest } from '../topics/engine.ts';
import { fromMachineMs, toMachineMs } from './machine-clock.ts';
import { type PackedError, packError, unpackError } from './packed-error.ts';

/** What became of a request. */
type PackedOutcome = readonly [epoch: string, offset: number, duplicate: boolean] | PackedError;

/** The lengths before a request, of its JSON and of its payload: 32 bits little-endian each. */
const recordHeadBytes = 8;

/** A request without the bytes of its payload. An array, which is read faster than an object. */
type PackedRequest = readonly [
  fields: Omit<PublishFields, 'payload'>,
  payload: Omit<Payload, 'bytes'>,
  publishedAtMs: number,
  /** On the machine's clock. */
  acceptedAtMs: number,
  timestampMs: number | null,
  payer: AppendRequest['payer'] | null,
  expected: AppendRequest['expected'] | null,
  ifNewest: AppendRequest['ifNewest'] | null,
];

/**
 * Encodes requests, because a structured clone costs several times as much (`bench -- workers`). Of each: its JSON, and
 * the bytes of its payload.
 */
export function packRequests(requests: readonly AppendRequest[]): Uint8Array {
  const texts = requests.map((request) => JSON.stringify(packed(request)));
  let length = 0;
  for (let i = 0; i < texts.length; i++)
    length += recordHeadBytes + Buffer.byteLength(texts[i]!) + requests[i]!.fields.payload.bytes.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (let i = 0; i < texts.length; i++) {
    const payload = requests[i]!.fields.payload.bytes;
    const payloadAt = at + recordHeadBytes + bytes.write(texts[i]!, at + recordHeadBytes);
    bytes.writeUInt32LE(payloadAt - at - recordHeadBytes, at);
    bytes.writeUInt32LE(payload.length, at + 4);
    bytes.set(payload, payloadAt);
    at = payloadAt + payload.length;
  }
  return bytes;
}

function packed({ fields, ...request }: AppendRequest): PackedRequest {
  const {
    publishedAtMs,
    acceptedAtMs,
    timestampMs = null,
    payer = null,
    expected = null,
    ifNewest = null,
  } = request;
  const { payload, ...others } = fields;
  const { bytes: _, ...kind } = payload;
  return [others, kind, publishedAtMs, toMachineMs(acceptedAtMs), timestampMs, payer, expected, ifNewest];
}

/** The bytes of the payloads are views of `packed`. */
export function unpackRequests(packed: Uint8Array): AppendRequest[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const requests: AppendRequest[] = [];
  for (let at = 0; at < bytes.length; ) {
    const jsonAt = at + recordHeadBytes;
    const payloadAt = jsonAt + bytes.readUInt32LE(at);
    const end = payloadAt + bytes.readUInt32LE(at + 4);
    const json = bytes.toString('utf8', jsonAt, payloadAt);
    requests.push(unpacked(JSON.parse(json) as PackedRequest, bytes.subarray(payloadAt, end)));
    at = end;
  }
  return requests;
}

function unpacked([fields, kind, ...request]: PackedRequest, bytes: Uint8Array): AppendRequest {
  const [publishedAtMs, acceptedAtMs, timestampMs, payer, expected, ifNewest] = request;
  return {
    fields: publishFrom(fields, { ...kind, bytes }),
    publishedAtMs,
    acceptedAtMs: fromMachineMs(acceptedAtMs),
    timestampMs: timestampMs ?? undefined,
    payer: payer ?? undefined,
    expected: expected ?? undefined,
    ...(ifNewest === null ? undefined : { ifNewest }),
  };
}

/** As JSON. */
export function packOutcomes(outcomes: readonly AppendOutcome[]): Uint8Array {
  return Buffer.from(
    JSON.stringify(
      outcomes.map(
        (outcome): PackedOutcome =>
          outcome.ok ? [outcome.epoch, outcome.offset, outcome.duplicate] : packError(outcome.error),
      ),
    ),
  );
}

export function unpackOutcomes(packed: Uint8Array): AppendOutcome[] {
  const text = Buffer.from(packed.buffer, packed.byteOffset, packed.length).toString();
  return (JSON.parse(text) as readonly PackedOutcome[]).map((outcome) => {
    if ('code' in outcome) return { ok: false, error: unpackError(outcome) };
    const [epoch, offset, duplicate] = outcome;
    return { ok: true, epoch, offset, duplicate };
  });
}
