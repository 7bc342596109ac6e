import { userTopicOf } from '../auth/permissions.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { PublishFields } from '../protocol/publication.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { isReserved } from '../topics/topic-name.ts';
import { type ApiResponse, json, resultError } from './http.ts';
import { utf8Problem } from './json-body.ts';
import { inTurn, shortListBytes } from './own-turn.ts';
import type { ApiPorts } from './ports.ts';
import { publishOne } from './publish.ts';
import type { Recipients } from './publish-body.ts';
import type { Call } from './route.ts';
import { userFault } from './users.ts';

/** A recipient that a broadcast names. */
interface Recipient {
  readonly user?: string;
  readonly topic?: string | undefined;
  /** Why it can't be published to. */
  readonly problem?: SluiceError | undefined;
}

/** `POST /api/broadcast` */
export function broadcast(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  return inTurn(call, ports, broadcastNow, shortListBytes);
}

function broadcastNow(call: Call, ports: ApiPorts): Awaitable<ApiResponse> {
  const { body } = call;
  const request = utf8Problem(body) ?? ports.bodies.addressed(body);
  if (request instanceof SluiceError) throw request;
  const { fields, recipients } = request;
  return recipients === undefined
    ? publishOne(fields, call, ports)
    : publishToSome(fields, recipientsOf(recipients, call, ports), call, ports);
}

function recipientsOf({ users = [], topics = [] }: Recipients, call: Call, ports: ApiPorts): Recipient[] {
  return [
    ...users.map((user): Recipient => {
      const topic = userTopicOf(user);
      if (topic === undefined) return { user, problem: userFault(user) };
      return { user, topic, problem: ports.authorize(call.identity, 'publish', topic) };
    }),
    ...topics.map(canonicalTopic).map((topic): Recipient => {
      const reserved = isReserved(topic)
        ? new SluiceError('invalid_topic', 'names that begin with "$" are Sluice’s own')
        : undefined;
      return { topic, problem: reserved ?? ports.authorize(call.identity, 'publish', topic) };
    }),
  ];
}

/** Each topic gets it once, however often it is named. */
function publishToSome(
  fields: PublishFields,
  recipients: readonly Recipient[],
  { payer }: Call,
  { publisher }: ApiPorts,
): Awaitable<ApiResponse> {
  const indexes = new Map<string, number>();
  for (const { topic, problem } of recipients) {
    if (topic !== undefined && problem === undefined && !indexes.has(topic)) indexes.set(topic, indexes.size);
  }
  const publishes = [...indexes.keys()].map((topic) => ({ ...fields, topic }));
  return whenDone(publishes.length === 0 ? [] : publisher.publish(publishes, payer), (outcomes) => {
    const results = recipients.map(({ user, topic, problem }) => {
      const outcome = problem === undefined ? outcomes[indexes.get(topic ?? '') ?? -1] : undefined;
      if (outcome?.ok !== true)
        return { user, topic, error: resultError(problem ?? outcome?.error ?? new SluiceError('internal')) };
      const { epoch, offset, duplicate } = outcome;
      return { user, topic, epoch, offset, duplicate: duplicate || undefined };
    });
    return json({ results });
  });
}
