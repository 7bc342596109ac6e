import { z } from 'zod';
import { disconnect } from '../api/connections.ts';
import { json } from '../api/http.ts';
import * as requests from '../api/request-schemas.ts';
import * as responses from '../api/response-schemas.ts';
import { get, post, type Route } from '../api/route.ts';
import { userProblem, userTopicOf } from '../auth/permissions.ts';
import type { Awaitable } from '../awaitable.ts';
import { SluiceError, throwIf } from '../errors.ts';
import { type Members, type OldBody, readOldBody, textOf, textsOf } from './old-body.ts';
import { type CountRecipients, publishToAll } from './publishing.ts';
import { monitoringTags } from './server-monitoring.ts';
import type { SystemStats } from './system-sessions.ts';
import { broadcastTopicOf, type System, type SystemName } from './systems.ts';
import { nameIn } from './wire.ts';

/** Everything the routes need. */
export interface CompatRouteOptions {
  readonly stats: (name: SystemName) => Awaitable<SystemStats>;
  readonly isRunning: () => boolean;
}

const body = { mediaTypes: ['application/json'], schema: z.looseObject({}) } as const;
const anyObject = z.looseObject({});
const published = z.object({ success: z.literal(true), topics: z.array(z.string()), recipients: z.int() });
/** What the routes that publish have in common. */
const publishing = {
  access: 'publish',
  byToken: true,
  body,
  response: published,
  errors: ['invalid_json', 'invalid_topic', 'invalid_type', 'payload_too_large', 'engine_unavailable'],
} as const;
/** Maximum number of users, rooms or servers in one request. */
const receiversMax = 1000;
const connectionsListed = 100;
/** The type of a broadcast of server monitoring that names none. */
const usualKind = 'monitoring_update';

/** Members of bodies, by what they say: the system's own, and common variants. */
const memberNames = {
  servers: ['server_id', 'serverId', 'server_ids', 'serverIds'],
  monitoringType: ['monitoring_type', 'monitoringType'],
  alertLevel: ['alert_level', 'alertLevel'],
  rooms: ['room', 'room_id', 'roomId', 'rooms', 'room_ids', 'roomIds'],
  users: ['user_ids', 'userIds', 'users', 'user_id', 'userId'],
  except: ['except', 'exclude_connection', 'excludeConnection'],
} as const;
const monitoringEnvelope = [...memberNames.servers, ...memberNames.monitoringType, ...memberNames.alertLevel];
const notificationEnvelope = [...memberNames.rooms, ...memberNames.users, ...memberNames.except];
/** The types of messages that clients of the knowledge platform know. */
const notificationTypes: ReadonlySet<string> = new Set(['notification', 'sync_update', 'system_message']);

type RoutesOf = (system: System, options: CompatRouteOptions) => readonly Route[];

/** The routes that the backends of each system called. */
const routesBySystem: Readonly<Record<SystemName, RoutesOf>> = {
  a: monitoringRoutes,
  b: marketRoutes,
  c: () => [],
  d: notificationRoutes,
  e: () => [],
};

export function compatRoutes(systems: readonly System[], options: CompatRouteOptions): readonly Route[] {
  return systems.flatMap((system) => routesBySystem[system.name](system, options));
}

function monitoringRoutes({ name, namespace }: System, options: CompatRouteOptions): readonly Route[] {
  return [
    get('/api/v1/websocket/stats', {
      summary: 'Server monitoring: its connections and messages.',
      access: 'read',
      response: anyObject,
      handle: async () => {
        const { active, total, messages, bytes, subscriptions } = await options.stats(name);
        return json({
          active_connections: active,
          total_connections: total,
          messages_sent: messages,
          bytes_sent: bytes,
          subscriptions: countsByName(namespace, subscriptions),
        });
      },
    }),
    post('/api/v1/websocket/broadcast', {
      ...publishing,
      summary:
        'Server monitoring: an update of the server `server_id`, of those in `server_ids`, or one for all its connections.',
      handle: (call, ports) => {
        const { servers, ...update } = monitoringUpdate(readOldBody(call.body, monitoringEnvelope));
        const topics = servers?.map((server) => `${namespace}:${server}`);
        return publishToAll(topics ?? [broadcastTopicOf(name)], update, call, ports);
      },
    }),
    post('/api/v1/websocket/connections/{id}/disconnect', {
      summary: 'Server monitoring: end a connection.',
      access: 'admin',
      params: requests.connectionParams,
      body: { mediaTypes: ['application/json'], optional: true, schema: requests.emptyBody },
      response: responses.disconnected,
      errors: ['invalid_json', 'not_found'],
      handle: disconnect,
    }),
  ];
}

function monitoringUpdate(body: OldBody) {
  const members: Members = { ...body.inner, ...body.members };
  const type = textOf(members, memberNames.monitoringType);
  const { level: measured } = members;
  // `level` may as well be a measurement, as of a battery.
  const level =
    textOf(members, memberNames.alertLevel) ?? (typeof measured === 'string' ? measured : undefined);
  const tags = {
    ...(type === undefined ? {} : { [monitoringTags.type]: type }),
    ...(level === undefined ? {} : { [monitoringTags.level]: level }),
  };
  const kind = typeOf(body, usualKind);
  // A change of status must not take the place of the newest measurement, nor that of another type.
  const parts = kind === usualKind ? [type] : [kind, type];
  const key = parts.filter((part) => part !== undefined).join(':') || undefined;
  return { servers: receivers(members, memberNames.servers), type: kind, body, key, tags };
}

function marketRoutes(
  { name, namespace }: System,
  { stats, isRunning }: CompatRouteOptions,
): readonly Route[] {
  return [
    get('/market/stats', {
      summary: 'Market data: its connections, messages and symbols.',
      access: 'read',
      response: anyObject,
      handle: async () => {
        const { active, total, messages, subscriptions } = await stats(name);
        return json({
          active_connections: active,
          total_connections: total,
          total_messages: messages,
          subscriptions: countsByName(namespace, subscriptions),
          is_running: isRunning(),
        });
      },
    }),
  ];
}

function notificationRoutes({ name, namespace }: System, { stats }: CompatRouteOptions): readonly Route[] {
  return [
    get('/api/v1/ws/stats', {
      summary: 'Notifications: connections, users and rooms.',
      access: 'read',
      response: anyObject,
      handle: async () => json(notificationStats(await stats(name), namespace)),
    }),
    post('/api/v1/ws/broadcast', {
      ...publishing,
      summary: 'Notifications: a system message to all, to the room `room`, or to the users `user_ids`.',
      handle: (call, ports) => {
        const body = readOldBody(call.body, notificationEnvelope);
        const topics = receiversOf(body, namespace) ?? [broadcastTopicOf(name)];
        const message = { type: notificationTypeOf(body, 'system_message'), body };
        return publishToAll(topics, message, call, ports);
      },
    }),
    routeToUser('/api/v1/ws/notify/{user}', 'notification', 'a notification for a user.'),
    routeToUser(
      '/api/v1/ws/sync-update/{user}',
      'sync_update',
      'a change for the user’s devices but `except`.',
    ),
    connectionsOfUser,
    demoNotification,
  ];
}

const userParams = z.object({ user: z.string().min(1).max(1024) });

function routeToUser(path: string, type: string, summary: string): Route {
  return post(path, {
    ...publishing,
    summary: `Notifications: ${summary}`,
    params: userParams,
    handle: (call, ports) => {
      const body = readOldBody(call.body, notificationEnvelope);
      const except = textOf(body.members, memberNames.except);
      const { user } = call.params;
      const connections: CountRecipients = (topic, { sessions }) => sessions.countOf(user, topic, except);
      const message = { type: notificationTypeOf(body, type), body, except };
      return publishToAll([topicOfUser(user)], message, call, ports, connections);
    },
  });
}

const connectionsOfUser = get('/api/v1/ws/connections/{user}', {
  summary: 'Notifications: the connections of a user.',
  access: 'read',
  byToken: true,
  params: userParams,
  response: anyObject,
  errors: ['invalid_topic'],
  handle: async ({ params: { user }, identity }, { sessions, authorize }) => {
    throwIf(authorize(identity, 'subscribe', topicOfUser(user)));
    const { connections } = await sessions.list({ user, after: '', limit: connectionsListed });
    const ids = connections.map(({ id }) => id);
    const count = await sessions.countOf(user);
    return json({
      user_id: user,
      is_online: count > 0,
      connection_count: count,
      connections: ids,
    });
  },
});

const demoNotification = post('/api/v1/notifications/demo', {
  ...publishing,
  summary: 'Notifications: a notification to try it, for `user_id`.',
  handle: (call, ports) => {
    const { members, inner, timestampMs } = readOldBody(call.body, []);
    const user = textOf(members, ['user_id', 'user']) ?? call.identity.user;
    if (user === undefined) throw new SluiceError('invalid_request', 'user_id is missing');
    const demo = { title: 'Demo', message: 'This is a notification.', ...members, ...inner };
    const body = { payload: Buffer.from(JSON.stringify(demo)), timestampMs };
    return publishToAll([topicOfUser(user)], { type: 'notification', body }, call, ports);
  },
});

/** Also the reply to the command `stats`. */
export function notificationStats({ active, users, subscriptions }: SystemStats, namespace: string) {
  return {
    total_connections: active,
    total_users: users.length,
    total_rooms: Object.keys(countsByName(namespace, subscriptions)).length,
  };
}

/** Counts by the name within the namespace; topics of other namespaces are left out. */
function countsByName(
  namespace: string,
  counts: SystemStats['subscriptions'],
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    counts.flatMap(([topic, count]) => {
      const name = nameIn(namespace, topic);
      return name === undefined ? [] : [[name, count]];
    }),
  );
}

function typeOf({ members }: OldBody, fallback: string): string {
  return textOf(members, ['type']) ?? fallback;
}

/** Where the whole body is the payload, `type` may be a member of what it tells, as the kind of a notification. */
function notificationTypeOf(body: OldBody, fallback: string): string {
  const type = typeOf(body, fallback);
  return body.isEnvelope || notificationTypes.has(type) ? type : fallback;
}

/** The topics of the rooms or users that a broadcast names; undefined: it is for everyone. */
function receiversOf({ members }: OldBody, namespace: string): readonly string[] | undefined {
  const rooms = receivers(members, memberNames.rooms)?.map((room) => `${namespace}:${room}`);
  const users = receivers(members, memberNames.users)?.map(topicOfUser);
  if (rooms !== undefined && users !== undefined)
    throw new SluiceError('invalid_request', 'room and user_ids exclude each other');
  return rooms ?? users;
}

/** What the first of these members lists, each once. */
function receivers(members: Members, names: readonly string[]): readonly string[] | undefined {
  const listed = textsOf(members, receiversMax, names);
  return listed && [...new Set(listed)];
}

function topicOfUser(user: string): string {
  const topic = userTopicOf(user);
  if (topic === undefined) throw new SluiceError('invalid_topic', `the user ${userProblem(user)}`);
  return topic;
}
