import type { z } from 'zod';
import { isOperator } from '../auth/identity.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import { toInstant } from '../protocol/instant.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { type ApiResponse, json } from './http.ts';
import { readJsonBody, readMembers } from './json-body.ts';
import { inTurn, readInOwnTurn, shortListBytes } from './own-turn.ts';
import type { ApiPorts, ConnectionInfo, SessionDirectory } from './ports.ts';
import { acksBody, type connectionParams, type connectionsQuery, emptyBody } from './request-schemas.ts';
import type { Call } from './route.ts';
import { validated } from './validate.ts';

type ConnectionParams = z.output<typeof connectionParams>;

/** `GET /api/connections` */
export function listConnections(
  call: Call<unknown, z.output<typeof connectionsQuery>>,
  ports: ApiPorts,
): Promise<ApiResponse> {
  const { query } = call;
  const { sessions } = ports;
  const topic = query.topic === undefined ? undefined : canonicalTopic(query.topic);
  return listOf(call, ports, { ...query, topic }, () => sessions.count());
}

/** `count`: of all that the pages list. */
export function listOf(
  call: Call,
  ports: ApiPorts,
  query: Parameters<SessionDirectory['list']>[0],
  count: () => Awaitable<number>,
): Promise<ApiResponse> {
  return readInOwnTurn(
    call,
    ports,
    () => whenDone(ports.sessions.list(query), (page) => whenDone(count(), (all) => ({ ...page, all }))),
    ({ all, connections, next }) => json({ count: all, connections: connections.map(connectionBody), next }),
  );
}

function connectionBody({ connectedAtMs, lastSeenAtMs, ...info }: ConnectionInfo) {
  return { ...info, connectedAt: toInstant(connectedAtMs), lastSeenAt: toInstant(lastSeenAtMs) };
}

/** `POST /api/connections/{id}/disconnect` */
export async function disconnect(
  { params: { id }, body }: Call<ConnectionParams>,
  { sessions }: ApiPorts,
): Promise<ApiResponse> {
  refuseMembers(body);
  if (!(await sessions.disconnect(id))) throw new SluiceError('not_found', 'there is no such connection');
  return json({ id, disconnected: true });
}

/** `POST /api/connections/{id}/acks`: what `Ping.acks` is to a WebSocket. The session pays as for a command. */
export function acknowledge(call: Call<ConnectionParams>, ports: ApiPorts): Awaitable<ApiResponse> {
  return inTurn(call, ports, acknowledgeNow, shortListBytes);
}

async function acknowledgeNow(
  { params: { id }, body, identity }: Call<ConnectionParams>,
  { sessions }: ApiPorts,
): Promise<ApiResponse> {
  const { acks } = readJsonBody(body, acksBody);
  const { user, topics } = identity;
  const ofAll = isOperator(identity);
  // The session may have views of other topics.
  if (topics !== undefined) throw new SluiceError('forbidden', 'this API key is limited to some topics');
  const mayBe = ofAll || user !== undefined;
  const retryAfterMs = mayBe ? await sessions.acknowledge(id, acks, ofAll ? undefined : user) : undefined;
  if (retryAfterMs === undefined)
    throw new SluiceError('not_found', 'there is no such connection of this user');
  if (retryAfterMs > 0) throw new SluiceError('rate_limited', undefined, { retryAfterMs });
  return json({ id, acknowledged: true });
}

/** The body may be left out. Members that have no effect are refused, so that no client relies on them. */
function refuseMembers(body: Uint8Array): void {
  if (body.length === 0) return;
  validated(emptyBody, readMembers(body, []).envelope);
}
