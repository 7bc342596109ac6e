import { isOperator } from '../auth/identity.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { Filter, Payload, Position, PublishFields } from '../protocol/frames.ts';
import { nullPayload } from '../protocol/payload.ts';
import { type Asker, noCalls, readingOf } from '../sessions/application.ts';
import type { AppendOutcome } from '../topics/engine.ts';
import { publishProblem, topicNameProblem } from '../topics/publish-problem.ts';
import { type ApiResponse, jsonText } from './http.ts';
import { readMembers } from './json-body.ts';
import type { ApiPorts } from './ports.ts';
import { callBody } from './request-schemas.ts';
import type { Call } from './route.ts';
import { validated } from './validate.ts';

function askerOf({ identity, payer, departure }: Call): Asker {
  const onGone = (run: () => void) => departure.onGone(run);
  return { identity, transport: 'http', payer, onGone };
}

/** Charges the caller for bytes that are published, before they are. An operator pays nothing. */
export function chargeBytes({ identity, payer }: Call, { turns }: ApiPorts, bytes: number): void {
  if (!isOperator(identity)) turns.charge(payer, bytes);
}

/** Publishes for the caller what the application does not refuse. Returns an outcome for each, in order. */
export function publishFor(
  call: Call,
  ports: ApiPorts,
  publishes: readonly PublishFields[],
  expected?: Position,
): Awaitable<readonly AppendOutcome[]> {
  const bytes = publishes.reduce((sum, { payload }) => sum + payload.bytes.length, 0);
  chargeBytes(call, ports, bytes);
  return publishCharged(call, ports, publishes, expected);
}

/** The same for what was charged before. */
export function publishCharged(
  call: Call,
  { publisher, application, payloadMaxBytes }: ApiPorts,
  publishes: readonly PublishFields[],
  expected?: Position,
): Awaitable<readonly AppendOutcome[]> {
  const { payer, identity } = call;
  const hook = application.publish;
  if (hook === undefined || isOperator(identity)) return publisher.publish(publishes, payer, expected);
  const problems = publishes.map(
    (fields) => topicNameProblem(fields.topic) ?? publishProblem(fields, payloadMaxBytes),
  );
  const sound = publishes.filter((_, index) => problems[index] === undefined);
  return whenDone(hook(askerOf(call), sound), (decisions) => {
    const nextDecision = decisions.values();
    const refusals = problems.map((problem) => problem ?? nextDecision.next().value);
    const allowed = publishes.filter((_, index) => refusals[index] === undefined);
    return whenDone(allowed.length === 0 ? [] : publisher.publish(allowed, payer, expected), (outcomes) => {
      const nextOutcome = outcomes.values();
      return refusals.map(
        (error): AppendOutcome =>
          error === undefined ? (nextOutcome.next().value as AppendOutcome) : { ok: false, error },
      );
    });
  });
}

/** Resolves with how the caller may read a topic or pattern that its credential permits. Rejects if it may not. */
export async function readingFor(
  call: Call,
  { application }: ApiPorts,
  topic: string,
): Promise<Filter | undefined> {
  if (application.subscribe === undefined || isOperator(call.identity)) return undefined;
  const [verdict] = await application.subscribe(askerOf(call), [{ topic, permitted: true }]);
  return readingOf(verdict, undefined).filter;
}

/** `POST /api/call` */
export function callApplication(call: Call, { application }: ApiPorts): Awaitable<ApiResponse> {
  const { method, payload } = readCall(call.body);
  const answer = application.call?.(askerOf(call), method, payload);
  if (answer === undefined) throw noCalls();
  return whenDone(answer, (result) => {
    if (result instanceof SluiceError) throw result;
    return jsonText(200, Buffer.concat(answerPieces(result)));
  });
}

function readCall(body: Uint8Array): { readonly method: string; readonly payload: Payload } {
  const { envelope, values } = readMembers(body, ['data']);
  const { method, dataBase64 } = validated<{ method: string; dataBase64?: string | undefined }>(
    callBody,
    envelope,
  );
  const [data] = values;
  if (dataBase64 !== undefined)
    return { method, payload: { format: 'binary', bytes: Buffer.from(dataBase64, 'base64'), lasts: true } };
  return { method, payload: data === undefined ? nullPayload : { format: 'json', bytes: data, lasts: true } };
}

function answerPieces({ format, bytes }: Payload): Uint8Array[] {
  return format === 'json'
    ? [Buffer.from('{"data":'), bytes, Buffer.from('}')]
    : [Buffer.from(JSON.stringify({ dataBase64: Buffer.from(bytes).toString('base64') }))];
}
