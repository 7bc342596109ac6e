import type { z } from 'zod';
import type { TopicAction } from '../auth/identity.ts';
import { userProblem, userTopicOf } from '../auth/permissions.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError, throwIf } from '../errors.ts';
import type { PublishFields } from '../protocol/publication.ts';
import { publishFor } from './application.ts';
import { listOf } from './connections.ts';
import { type ApiResponse, json } from './http.ts';
import { utf8Problem } from './json-body.ts';
import { inTurn } from './own-turn.ts';
import type { ApiPorts } from './ports.ts';
import type { userConnectionsQuery, userParams } from './request-schemas.ts';
import type { Call } from './route.ts';
import { invalidRequest } from './validate.ts';

type Params = z.output<typeof userParams>;

/** `POST /api/users/{user}/notify` */
export function notifyUser(call: Call<Params>, ports: ApiPorts): Awaitable<ApiResponse> {
  return inTurn(call, ports, () => tell(call, ports, notificationOf(call, ports, 'notification')));
}

/** `POST /api/users/{user}/sync` */
export function syncUser(call: Call<Params>, ports: ApiPorts): Awaitable<ApiResponse> {
  return inTurn(call, ports, () => {
    const fields = notificationOf(call, ports, 'sync_update');
    if (fields.except === undefined)
      throw invalidRequest([{ path: 'except', message: 'names the session of the device that has it' }]);
    return tell(call, ports, fields);
  });
}

/** `GET /api/users/{user}/connections` */
export async function listUserConnections(
  call: Call<Params, z.output<typeof userConnectionsQuery>>,
  ports: ApiPorts,
): Promise<ApiResponse> {
  const { user } = call.params;
  topicOf(call, ports, 'presence');
  return listOf(call, ports, { ...call.query, user }, () => ports.sessions.countOf(user));
}

/** Why there can't be a user of this name. */
export function userFault(user: string): SluiceError | undefined {
  const problem = userProblem(user);
  return problem === undefined ? undefined : invalidRequest([{ path: 'user', message: problem }]);
}

/** The user that the path names, if the caller may do this with that user. */
function topicOf({ params: { user }, identity }: Call<Params>, ports: ApiPorts, action: TopicAction): string {
  const topic = userTopicOf(user);
  if (topic === undefined) throw userFault(user);
  throwIf(ports.authorize(identity, action, topic));
  return topic;
}

function notificationOf(call: Call<Params>, ports: ApiPorts, defaultType: string): PublishFields {
  const topic = topicOf(call, ports, 'publish');
  const fields = utf8Problem(call.body) ?? ports.bodies.publishTo(topic, defaultType, call.body);
  if (fields instanceof SluiceError) throw fields;
  return fields;
}

/** Does not fail with the push: what is stored is there when the user comes. */
function tell(call: Call<Params>, ports: ApiPorts, fields: PublishFields) {
  const { user } = call.params;
  const { topic, except } = fields;
  return whenDone(publishFor(call, ports, [fields]), ([outcome]) => {
    if (outcome?.ok !== true) throw outcome?.error;
    const { epoch, offset, duplicate } = outcome;
    return whenDone(ports.sessions.countOf(user, topic, except), (connections) =>
      json({ epoch, offset, duplicate: duplicate || undefined, connections }),
    );
  });
}
