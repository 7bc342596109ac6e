import { publishOf } from '../protocol/publication.ts';
import type { AppendOutcome, AppendRequest } from '../topics/engine.ts';
import { fromMachineMs, toMachineMs } from './machine-clock.ts';
import { type PackedError, packError, unpackError } from './packed-error.ts';

/** What became of a request. */
type PackedOutcome = readonly [epoch: string, offset: number, duplicate: boolean] | PackedError;

/** What comes before a request: the lengths of its JSON and of its payload, 32 bits little-endian. */
const recordHeadBytes = 8;

/**
 * Encodes requests, because a structured clone costs several times as much (`bench -- workers`). Of each: all but the
 * bytes of its payload as JSON, and these bytes. Times are on the machine's clock.
 */
export function packRequests(requests: readonly AppendRequest[]): Uint8Array {
  return Buffer.concat(
    requests.flatMap(({ fields, acceptedAtMs, ...request }) => {
      const { bytes, ...payload } = fields.payload;
      const packed = { ...request, acceptedAtMs: toMachineMs(acceptedAtMs), fields: { ...fields, payload } };
      const json = Buffer.from(JSON.stringify(packed));
      const head = Buffer.allocUnsafe(recordHeadBytes);
      head.writeUInt32LE(json.length, 0);
      head.writeUInt32LE(bytes.length, 4);
      return [head, json, bytes];
    }),
  );
}

/** The bytes of the payloads are views of `packed`. */
export function unpackRequests(packed: Uint8Array): AppendRequest[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const requests: AppendRequest[] = [];
  for (let at = 0; at < bytes.length; ) {
    const jsonAt = at + recordHeadBytes;
    const payloadAt = jsonAt + bytes.readUInt32LE(at);
    const end = payloadAt + bytes.readUInt32LE(at + 4);
    const request = JSON.parse(bytes.toString('utf8', jsonAt, payloadAt)) as AppendRequest;
    const { fields, acceptedAtMs } = request;
    const payload = { ...fields.payload, bytes: bytes.subarray(payloadAt, end) };
    requests.push({
      ...request,
      acceptedAtMs: fromMachineMs(acceptedAtMs),
      fields: publishOf({ ...fields, payload }),
    });
    at = end;
  }
  return requests;
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
