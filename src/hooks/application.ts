import { type Identity, isOperator } from '../auth/identity.ts';
import { isOthersTopic } from '../auth/permissions.ts';
import { SluiceError } from '../errors.ts';
import type { Payload } from '../protocol/frames.ts';
import { fromBase64 } from '../protocol/json/base64.ts';
import { cutMembers } from '../protocol/json/envelope.ts';
import { lastingPayload } from '../protocol/lasting-payload.ts';
import type { Application, Asker, ConnectFacts, SubscribeGrant } from '../sessions/application.ts';
import { isReserved } from '../topics/topic-name.ts';
import { answerSchemas, parseJson, readAnswer, readAnswers, readBody } from './answers.ts';
import type { Denial, HookName, Hooks } from './contract.ts';
import type { Endpoint } from './endpoint.ts';
import { HookFailure } from './failure.ts';
import type { Gate, Hold } from './gate.ts';
import { callQuestion, clientOf, plainQuestion, publishQuestion, type Question } from './questions.ts';

/** What is asked: a function of this process, or a URL. */
export type Answerer =
  | { readonly ask: NonNullable<Hooks[HookName]>; readonly endpoint?: undefined }
  | { readonly endpoint: Endpoint; readonly ask?: undefined };

export interface AskedHook {
  readonly answerer: Answerer;
  readonly gate: Gate;
  /** If the hook fails, the client is permitted what it would be without the hook. */
  readonly failsOpen: boolean;
}

export interface HookedOptions {
  readonly hooks: { readonly [N in HookName]?: AskedHook };
  /** The function of this process that handles calls of this method; undefined: the call hook does. */
  readonly handlerOf: (method: string) => AskedHook | undefined;
  /** Whether the identity is the gateway's own. */
  readonly isOwn: (identity: Identity) => boolean;
  readonly payloadMaxBytes: number;
}

/** The most bytes of an answer to a hook, besides the payload of a call. */
const decisionMaxBytes = 64 * 1024;

/** The application, represented by its hooks. */
export function hookedApplication(options: HookedOptions): Application {
  const { hooks, handlerOf, isOwn, payloadMaxBytes } = options;
  const { connect, subscribe, publish } = hooks;
  // A client with an API key is the application itself. So is this machine over HTTP if no key is needed.
  const isExempt = ({ identity, transport }: Asker) =>
    identity.apiKey !== undefined || isOwn(identity) || (transport === 'http' && isOperator(identity));
  return {
    connect:
      connect &&
      ((asker, facts) => (isExempt(asker) ? asker.identity : connectVerdict(connect, asker, facts))),
    subscribe:
      subscribe &&
      ((asker, wanted) =>
        isExempt(asker) || wanted.length === 0
          ? wanted.map(() => plainGrant)
          : subscribeVerdicts(subscribe, asker, wanted)),
    publish:
      publish &&
      ((asker, publishes) =>
        isExempt(asker) || publishes.length === 0
          ? publishes.map(() => undefined)
          : // A publication is committed even if its client leaves.
            publishVerdicts(publish, { ...asker, onGone: undefined }, publishes)),
    call: (asker, method, payload) => {
      const hook = handlerOf(method) ?? hooks.call;
      if (hook === undefined) return undefined;
      if (payload.bytes.length > payloadMaxBytes) return new SluiceError('payload_too_large');
      const refused = hook.gate.refusal(asker.payer);
      if (refused !== undefined) return refused instanceof SluiceError ? refused : unavailable();
      // Copied only now that the call is let in: a client may send far more calls than that.
      const question = callQuestion(clientOf(asker), method, lastingPayload(payload));
      return called(hook, asker, question, payloadMaxBytes);
    },
  };
}

const plainGrant: SubscribeGrant = { grant: false };

/** Resolves with the result of a function, the bytes that a URL responds with, or an error. */
function outcomeOf(
  { answerer, gate }: AskedHook,
  { payer, onGone }: Asker,
  question: Question,
  responseMaxBytes: number,
): Promise<unknown> {
  const { endpoint } = answerer;
  const run = (signal: AbortSignal, hold: Hold) =>
    endpoint === undefined
      ? resultOf(async () => answerer.ask(question.value() as never, { signal }))
      : endpoint.post(question.body(), responseMaxBytes, signal, hold);
  return gate.ask<unknown>(payer, question.bytes, run, onGone);
}

/** A `SluiceError` that a function throws is its refusal, which the client gets. */
function resultOf(ask: () => Promise<unknown>): Promise<unknown> {
  return ask().catch((error: unknown) => {
    if (error instanceof SluiceError) return error;
    throw error;
  });
}

async function asked(hook: AskedHook, asker: Asker, question: Question): Promise<unknown> {
  const outcome = await outcomeOf(hook, asker, question, decisionMaxBytes);
  if (outcome instanceof Error) throw outcome;
  return hook.answerer.endpoint === undefined ? outcome : parseJson(outcome as Uint8Array);
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

/** The decision of a hook; `otherwise`: the result if it fails open. */
async function decided<T>(
  hook: AskedHook,
  ask: () => Promise<T>,
  otherwise: T,
  refuse: (error: SluiceError) => T,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof SluiceError) return refuse(error);
    if (!(error instanceof HookFailure)) throw error;
    if (error.kind === 'malformed') hook.gate.failed(error);
    return hook.failsOpen ? otherwise : refuse(unavailable());
  }
}

function connectVerdict(hook: AskedHook, asker: Asker, facts: ConnectFacts): Promise<Identity | SluiceError> {
  const { identity } = asker;
  const ask = async () => {
    const askedAtMs = Date.now();
    const bytes = lengthOf([facts.origin, ...Object.values(facts.headers)]);
    const question = plainQuestion('connect', { client: clientOf(asker), ...facts }, bytes);
    const answer = readAnswer(answerSchemas.connect, await asked(hook, asker, question));
    if (!answer.allow) return denied(hook, answer);
    const { user, topics = [], permissions = [] } = answer;
    if (user === undefined && answer.topics === undefined && answer.permissions === undefined)
      return identity;
    const { unauthenticated: _, ...known } = identity;
    const named = { inPlaceOf: known.user, askedAtMs };
    const merged: Identity = { ...known, ...(user === undefined ? {} : { user, named }) };
    if (topics.some((topic) => isOthersTopic(merged, topic)))
      throw new HookFailure('malformed', 'it named the topic of another user');
    const joined = topics.map((pattern) => ({ pattern, allow: ['subscribe'] as const }));
    return { ...merged, permissions: [...identity.permissions, ...permissions, ...joined], joins: topics };
  };
  return decided<Identity | SluiceError>(hook, ask, identity, (error) => error);
}

function subscribeVerdicts(
  hook: AskedHook,
  asker: Asker,
  wanted: Parameters<NonNullable<Application['subscribe']>>[1],
): Promise<readonly (SubscribeGrant | SluiceError)[]> {
  const ask = async () => {
    const bytes = lengthOf(wanted.map(({ topic }) => topic));
    const question = plainQuestion('subscribe', { client: clientOf(asker), subscriptions: wanted }, bytes);
    const answer = await asked(hook, asker, question);
    return readAnswers(answerSchemas.subscribe, answer, wanted.length).map((each, index) => {
      if (!each.allow) return denied(hook, each);
      const { topic } = wanted[index]!;
      const mayGrant = !isReserved(topic) && !isOthersTopic(asker.identity, topic);
      return { grant: each.grant === true && mayGrant, filter: each.filter };
    });
  };
  const all = (verdict: SubscribeGrant | SluiceError) => wanted.map(() => verdict);
  return decided<readonly (SubscribeGrant | SluiceError)[]>(hook, ask, all(plainGrant), all);
}

function publishVerdicts(
  hook: AskedHook,
  asker: Asker,
  publishes: Parameters<NonNullable<Application['publish']>>[1],
): Promise<readonly (SluiceError | undefined)[]> {
  const ask = async () => {
    const answer = await asked(hook, asker, publishQuestion(clientOf(asker), publishes));
    return readAnswers(answerSchemas.publish, answer, publishes.length).map((each) =>
      each.allow ? undefined : denied(hook, each),
    );
  };
  const all = (verdict: SluiceError | undefined) => publishes.map(() => verdict);
  return decided<readonly (SluiceError | undefined)[]>(hook, ask, all(undefined), all);
}

async function called(
  hook: AskedHook,
  asker: Asker,
  question: Question,
  payloadMaxBytes: number,
): Promise<Payload | SluiceError> {
  const { endpoint } = hook.answerer;
  // Base64 is longer by a third.
  const responseMaxBytes = 2 * payloadMaxBytes + decisionMaxBytes;
  try {
    const outcome = await outcomeOf(hook, asker, question, responseMaxBytes);
    if (outcome instanceof HookFailure && outcome.status === 404)
      return new SluiceError('not_found', 'the application has no such method');
    if (outcome instanceof Error) return outcome instanceof SluiceError ? outcome : unavailable();
    const answer = endpoint === undefined ? outcome : cutAnswer(outcome as Uint8Array);
    const result = readAnswer(answerSchemas.call, answer);
    if ('allow' in result) return denied(hook, result);
    return fitting(
      result.data instanceof RawJson ? result.data.payload : payloadOf(result.data),
      payloadMaxBytes,
    );
  } catch (error) {
    if (!(error instanceof HookFailure)) throw error;
    hook.gate.failed(error);
    return unavailable();
  }
}

/** A payload that is copied byte for byte from the answer. */
class RawJson {
  readonly payload: Payload;

  constructor(payload: Payload) {
    this.payload = payload;
  }
}

function cutAnswer(body: Uint8Array): unknown {
  const cut = cutMembers(readBody(body), ['data', 'dataBase64']);
  if (!cut.ok) throw new HookFailure('malformed', 'its answer is not a JSON object');
  const [data, base64] = cut.values;
  if (data !== undefined) return { ...cut.envelope, data: new RawJson({ format: 'json', bytes: data }) };
  if (base64 === undefined) return cut.envelope;
  const text: unknown = JSON.parse(Buffer.from(base64).toString());
  const bytes = typeof text === 'string' ? fromBase64(text) : undefined;
  if (bytes === undefined) throw new HookFailure('malformed', 'its dataBase64 is not base64');
  return { ...cut.envelope, data: new RawJson({ format: 'binary', bytes }) };
}

function payloadOf(data: unknown): Payload {
  if (data instanceof Uint8Array) return { format: 'binary', bytes: data };
  try {
    return { format: 'json', bytes: Buffer.from(JSON.stringify(data ?? null)) };
  } catch (cause) {
    throw new HookFailure('malformed', 'its answer can not be carried as JSON', undefined, cause);
  }
}

function fitting(payload: Payload, maxBytes: number): Payload {
  if (payload.bytes.length <= maxBytes) return payload;
  throw new HookFailure('too_large', `its answer has more than ${maxBytes} bytes`);
}

function denied({ gate }: AskedHook, { reason }: Denial | { reason?: string | undefined }): SluiceError {
  gate.denied();
  return new SluiceError('denied', reason || undefined);
}

function unavailable(): SluiceError {
  return new SluiceError('application_unavailable', undefined, { retryAfterMs: 1000 });
}
