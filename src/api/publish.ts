import { isUtf8 } from 'node:buffer';
import { isOperator } from '../auth/identity.ts';
import { type Awaitable, isPending, whenDone } from '../awaitable.ts';
import { SluiceError, throwIf } from '../errors.ts';
import type { PublishFields } from '../protocol/frames.ts';
import { JsonScanner, type JsonText, type ScanFault } from '../protocol/json/scanner.ts';
import { mediaType } from '../protocol/media-type.ts';
import type { AppendOutcome } from '../topics/engine.ts';
import { publishFor } from './application.ts';
import { ArrayItems, type BatchItems, LineItems } from './batch-items.ts';
import { type ApiResponse, jsonText, resultError } from './http.ts';
import { utf8Problem } from './json-body.ts';
import { inOwnTurn, inTurn, pieceBytes, shortListEntries } from './own-turn.ts';
import type { ApiPorts } from './ports.ts';
import { batchItemsMax } from './request-schemas.ts';
import type { Call } from './route.ts';

export const ndjson = 'application/x-ndjson';

/** `POST /api/publish` */
export function publish(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  return inTurn(call, ports, publishNow);
}

function publishNow(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  const { body } = call;
  const fields = utf8Problem(body) ?? ports.bodies.publish(body);
  if (fields instanceof SluiceError) throw fields;
  throwIf(ports.authorize(call.identity, 'publish', fields.topic));
  return publishOne(fields, call, ports);
}

export function publishOne(fields: PublishFields, call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  return whenDone(publishFor(call, ports, [fields]), ([outcome]) => {
    if (!outcome!.ok) throw outcome!.error;
    return jsonText(200, publishedText(outcome!, headOf(outcome!)));
  });
}

/** `POST /api/publish/batch` */
export function publishBatch(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  return whenDone(resultsOf(call, ports), (results) => publishAll(results, call, ports));
}

function publishAll(results: Results, call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  const fields = areAllRead(results) ? results : results.filter(isRead);
  return whenDone(publishEach(fields, call, ports), (outcomes) =>
    jsonText(200, resultsText(results, outcomes)),
  );
}

/**
 * The items of an operator, who pays no time, that are published in one turn: each may go to a hundred views, and take
 * half a millisecond.
 */
const itemsPerTurn = 100;

function publishEach(
  fields: readonly PublishFields[],
  call: Call,
  ports: ApiPorts,
): Awaitable<readonly AppendOutcome[]> {
  if (fields.length === 0) return [];
  const isLong = fields.length > itemsPerTurn && isOperator(call.identity);
  return isLong ? publishInTurns(fields, call, ports) : publishFor(call, ports, fields);
}

async function publishInTurns(fields: readonly PublishFields[], call: Call, ports: ApiPorts) {
  const outcomes: AppendOutcome[] = [];
  /** By topic. The publisher sends those again: no later part may overtake them. */
  const refusals = new Map<string, AppendOutcome>();
  let ofAll: AppendOutcome | undefined;
  let count = itemsPerTurn;
  while (outcomes.length < fields.length) {
    const part = fields.slice(outcomes.length, outcomes.length + count);
    const refused = part.map(({ topic }) => ofAll ?? refusals.get(topic));
    const others = part.filter((_, i) => refused[i] === undefined);
    let published: Awaitable<readonly AppendOutcome[]> = [];
    if (others.length > 0)
      await inOwnTurn(call, ports, () => {
        published = publishFor(call, ports, others);
      });
    // An engine that takes its time commits many in one turn, whatever the parts.
    if (isPending(published)) count = fields.length;
    const next = (await published).values();
    for (const [i, { topic }] of part.entries()) {
      const outcome = refused[i] ?? (next.next().value as AppendOutcome);
      outcomes.push(outcome);
      if (outcome.ok || !outcome.error.retry) continue;
      refusals.set(topic, outcome);
      if (outcome.error.code !== 'too_many_topics') ofAll ??= outcome;
    }
  }
  return outcomes;
}

function isRead(result: Results[number]): result is PublishFields {
  return !(result instanceof SluiceError);
}

/** A loop: `filter` would copy each batch, even one without errors. */
function areAllRead(results: Results): results is readonly PublishFields[] {
  for (const result of results) if (!isRead(result)) return false;
  return true;
}

/** The publish that each item asks for, or its error. */
type Results = readonly (PublishFields | SluiceError)[];

function resultsOf(call: Call, ports: ApiPorts): Awaitable<Results> {
  const { body, contentType } = call;
  const Items = mediaType(contentType) === ndjson ? LineItems : ArrayItems;
  // One more shows that there are too many, without reading the hundred thousand that a body may have.
  const items = new Items(
    new JsonScanner(body, ports.bodies.scan),
    body,
    batchItemsMax + 1,
    itemReader(call, ports),
  );
  if (body.length <= pieceBytes && items.readUntil(body.length, shortListEntries)) return checked(items);
  return readInTurns(items, call, ports);
}

async function readInTurns(items: BatchItems<Results[number]>, call: Call, ports: ApiPorts) {
  const readPiece = () => items.readUntil(items.position + pieceBytes);
  while (!(await inOwnTurn(call, ports, readPiece)));
  return checked(items);
}

function checked({ items }: BatchItems<Results[number]>): Results {
  if (items.length <= batchItemsMax) return items;
  throw new SluiceError('invalid_request', `a batch has at most ${batchItemsMax} items`);
}

/** Reads the items of one body. */
function itemReader({ body, identity }: Call, { authorize, bodies }: ApiPorts) {
  const isText = isUtf8(body);
  return (text: JsonText | ScanFault, start: number, end: number): PublishFields | SluiceError => {
    const fields =
      (isText ? undefined : utf8Problem(body.subarray(start, end))) ?? bodies.publish(body, text);
    if (fields instanceof SluiceError) return fields;
    return authorize(identity, 'publish', fields.topic) ?? fields;
  };
}

/** `outcomes`: of the results that are not errors. */
function resultsText(results: Results, outcomes: readonly AppendOutcome[]): string {
  // Most outcomes of a batch have the epoch of the one before.
  let epoch: string | undefined;
  let head = '';
  let text = '';
  let next = 0;
  for (const result of results) {
    const outcome: AppendOutcome =
      result instanceof SluiceError ? { ok: false, error: result } : outcomes[next++]!;
    if (outcome.ok && outcome.epoch !== epoch) {
      epoch = outcome.epoch;
      head = headOf(outcome);
    }
    if (text !== '') text += ',';
    text += outcome.ok ? publishedText(outcome, head) : errorText(outcome.error);
  }
  return `{"results":[${text}]}`;
}

type PublishedOutcome = AppendOutcome & { readonly ok: true };

/** What `publishedText` begins with. */
function headOf({ epoch }: PublishedOutcome): string {
  return `{"epoch":${JSON.stringify(epoch)},"offset":`;
}

function publishedText({ offset, duplicate }: PublishedOutcome, head: string): string {
  return `${head}${offset}${duplicate ? ',"duplicate":true' : ''}}`;
}

function errorText(error: SluiceError): string {
  return JSON.stringify({ error: resultError(error) });
}
