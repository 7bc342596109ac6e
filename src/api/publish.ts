import { isUtf8 } from 'node:buffer';
import { mediaType } from '../auth/local-guard.ts';
import { SluiceError } from '../errors.ts';
import type { PublishFields } from '../protocol/frames.ts';
import { ShortTexts } from '../protocol/short-texts.ts';
import type { AppendOutcome } from '../topics/engine.ts';
import { arrayItems, type BatchItem, lines } from './batch-items.ts';
import { type ApiResponse, type Awaitable, errorBody, jsonText } from './http.ts';
import { PayloadCopies } from './payload-copies.ts';
import { forbiddenBy } from './permit.ts';
import type { ApiPorts } from './ports.ts';
import { readBroadcast, readPublish } from './publish-body.ts';
import type { Call } from './route.ts';
import { batchItemsMax } from './schemas.ts';

export const ndjson = 'application/x-ndjson';

/** `POST /api/publish` */
export function publish(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  const fields = isUtf8(call.body) ? readPublish(call.body) : notUtf8();
  if (fields instanceof SluiceError) throw fields;
  const refusal = forbiddenBy(call.identity, 'publish', fields.topic, ports.namespaces);
  if (refusal !== undefined) throw refusal;
  return publishOne(fields, call.body, ports);
}

/** `POST /api/broadcast` */
export function broadcast(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  const fields = isUtf8(call.body) ? readBroadcast(call.body) : notUtf8();
  if (fields instanceof SluiceError) throw fields;
  return publishOne(fields, call.body, ports);
}

async function publishOne(fields: PublishFields, body: Uint8Array, ports: ApiPorts): Promise<ApiResponse> {
  const [outcome] = await ports.publisher.publish([copied(fields, new PayloadCopies(body))]);
  if (!outcome!.ok) throw outcome!.error;
  return jsonText(200, publishedText(outcome!));
}

function publishedText({ epoch, offset, duplicate }: AppendOutcome & { readonly ok: true }): string {
  return `{"epoch":${JSON.stringify(epoch)},"offset":${offset}${duplicate ? ',"duplicate":true' : ''}}`;
}

/** `POST /api/publish/batch` */
export async function publishBatch(call: Call, ports: ApiPorts): Promise<ApiResponse> {
  const isText = isUtf8(call.body);
  const read = itemReader(call, ports);
  const results = itemsOf(call).map((item) =>
    isText || isUtf8(call.body.subarray(item.start, item.end)) ? read(item) : notUtf8(),
  );
  const fields = results.filter((result) => !(result instanceof SluiceError)) as PublishFields[];
  const outcomes = fields.length === 0 ? [] : await ports.publisher.publish(fields);
  let next = 0;
  const texts = results.map((result) =>
    resultText(result instanceof SluiceError ? result : outcomes[next++]!),
  );
  return jsonText(200, `{"results":[${texts.join()}]}`);
}

function itemsOf({ body, contentType }: Call): readonly BatchItem[] {
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

/** Reads the items of one body. */
function itemReader({ body, identity }: Call, { namespaces }: ApiPorts) {
  const texts = new ShortTexts();
  const copies = new PayloadCopies(body);
  return ({ text }: BatchItem): PublishFields | SluiceError => {
    const fields = readPublish(body, text, texts);
    if (fields instanceof SluiceError) return fields;
    return forbiddenBy(identity, 'publish', fields.topic, namespaces) ?? copied(fields, copies);
  };
}

function copied(fields: PublishFields, copies: PayloadCopies): PublishFields {
  const { format, bytes } = fields.payload;
  const copy = copies.copy(bytes);
  return copy === bytes ? fields : { ...fields, payload: { format, bytes: copy } };
}

function notUtf8(): SluiceError {
  return new SluiceError('invalid_json', 'the body is not UTF-8');
}

function resultText(result: SluiceError | AppendOutcome): string {
  if (result instanceof SluiceError) return JSON.stringify({ error: errorBody(result) });
  return result.ok ? publishedText(result) : JSON.stringify({ error: errorBody(result.error) });
}
