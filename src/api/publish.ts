import { mediaType } from '../auth/local-guard.ts';
import { SluiceError } from '../errors.ts';
import type { PublishFields } from '../protocol/frames.ts';
import type { AppendOutcome } from '../topics/engine.ts';
import { arrayItems, lines } from './batch-items.ts';
import { type ApiResponse, type Awaitable, errorBody, json, jsonText } from './http.ts';
import { forbiddenBy } from './permit.ts';
import type { ApiPorts } from './ports.ts';
import { readBroadcast, readPublish } from './publish-body.ts';
import type { Call } from './route.ts';
import { batchItemsMax } from './schemas.ts';

export const ndjson = 'application/x-ndjson';

/** `POST /api/publish` */
export function publish(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  const fields = readPublish(call.body);
  if (fields instanceof SluiceError) throw fields;
  const refusal = forbiddenBy(call.identity, 'publish', fields.topic, ports.namespaces);
  if (refusal !== undefined) throw refusal;
  return publishOne(fields, call.body, ports);
}

/** `POST /api/broadcast` */
export function broadcast(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  const fields = readBroadcast(call.body);
  if (fields instanceof SluiceError) throw fields;
  return publishOne(fields, call.body, ports);
}

async function publishOne(fields: PublishFields, body: Uint8Array, ports: ApiPorts): Promise<ApiResponse> {
  const [outcome] = await ports.publisher.publish([owning(fields, body)]);
  if (!outcome!.ok) throw outcome!.error;
  return jsonText(200, publishedText(outcome!));
}

function publishedText({ epoch, offset, duplicate }: AppendOutcome & { readonly ok: true }): string {
  return `{"epoch":${JSON.stringify(epoch)},"offset":${offset}${duplicate ? ',"duplicate":true' : ''}}`;
}

/** A ring keeps the payload and counts its bytes only: let a small one not keep a large body alive. */
function owning(fields: PublishFields, body: Uint8Array): PublishFields {
  const { bytes, format } = fields.payload;
  if (bytes.buffer !== body.buffer || 2 * bytes.length >= bytes.buffer.byteLength) return fields;
  return { ...fields, payload: { format, bytes: bytes.slice() } };
}

/** `POST /api/publish/batch` */
export async function publishBatch(call: Call, ports: ApiPorts): Promise<ApiResponse> {
  const results = itemsOf(call).map((item) => readItem(item, call, ports));
  const fields = results.filter((result) => !(result instanceof SluiceError)) as PublishFields[];
  const outcomes = fields.length === 0 ? [] : await ports.publisher.publish(fields);
  let next = 0;
  return json(200, {
    results: results.map((result) => itemResult(result instanceof SluiceError ? result : outcomes[next++]!)),
  });
}

function itemsOf({ body, contentType }: Call): readonly Uint8Array[] {
  const items = mediaType(contentType) === ndjson ? lines(body) : arrayItems(body);
  if (items === undefined) throw new SluiceError('invalid_json', 'the body is not a JSON array');
  if (items.length > batchItemsMax) {
    throw new SluiceError(
      'invalid_request',
      `a batch has at most ${batchItemsMax} items; this one has ${items.length}`,
    );
  }
  return items;
}

function readItem(item: Uint8Array, { body, identity }: Call, ports: ApiPorts): PublishFields | SluiceError {
  const fields = readPublish(item);
  if (fields instanceof SluiceError) return fields;
  return forbiddenBy(identity, 'publish', fields.topic, ports.namespaces) ?? owning(fields, body);
}

function itemResult(result: SluiceError | AppendOutcome): unknown {
  if (result instanceof SluiceError) return { error: errorBody(result) };
  if (!result.ok) return { error: errorBody(result.error) };
  const { epoch, offset, duplicate } = result;
  return duplicate ? { epoch, offset, duplicate } : { epoch, offset };
}
