import { z } from 'zod';
import { jsonName } from '../protocol/json/names.ts';
import { type Kinds, seenRows } from '../protocol/publication.ts';
import { component, epoch, instant, next, offset, pageSubscriptionsMax, topicName } from './schemas.ts';

const error = component(
  'Error',
  z.object({
    code: z.string(),
    message: z.string(),
    details: z.unknown().optional(),
    retryAfterMs: z
      .number()
      .optional()
      .describe('When to try again, in a list of results. Other responses have the header Retry-After.'),
  }),
);
const errorBody = component('ErrorResponse', z.object({ error }));

export const published = component(
  'Published',
  z.object({
    epoch,
    offset,
    duplicate: z
      .literal(true)
      .optional()
      .describe('The messageId is a repeat, and this is the position of the first publication.'),
  }),
);
export const notified = component(
  'Notified',
  published.extend({
    connections: z
      .int()
      .describe('Connections of the user that get it now. Other devices get it when they connect.'),
  }),
);
const broadcastResults = component(
  'BroadcastResults',
  z.object({
    results: z
      .array(
        z.union([
          z.object({ user: z.string().optional(), topic: z.string(), ...published.shape }),
          z.object({ user: z.string().optional(), topic: z.string().optional(), error }),
        ]),
      )
      .describe('One per named user and topic, users first, in order.'),
  }),
);
export const broadcastResponse = component('BroadcastResponse', z.union([published, broadcastResults]));
export const job = component(
  'Job',
  z.object({
    job_id: z.string(),
    progress: z.number(),
    status: z.string(),
    current_step: z.string().optional(),
    error: z.string().optional(),
    details: z.unknown().optional(),
    timestamp: instant,
    ended: z.boolean().describe('The job has completed or failed.'),
    topic: z.string(),
    epoch,
    offset,
  }),
);
export const batchPublished = component(
  'BatchPublished',
  z.object({ results: z.array(z.union([published, errorBody])).describe('One per item, in order.') }),
);

const seenSchemas: { readonly [K in keyof Kinds]: z.ZodType } = {
  text: z.string(),
  tags: z.record(z.string(), z.string()),
  flag: z.literal(true),
  duration: z.int(),
  instant,
  integer: z.int(),
};
const seenFields: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  seenRows.map((row) => [jsonName(row), seenSchemas[row.kind].optional()]),
);
const publication = component(
  'Publication',
  z.object({
    type: z.string(),
    topic: topicName,
    ...seenFields,
    data: z.unknown().optional(),
    dataBase64: z.string().optional(),
    timestamp: instant,
    offset,
  }),
);
export const historyPage = component(
  'HistoryPage',
  z.object({
    topic: topicName,
    epoch,
    after: offset,
    upto: offset.describe('The page covers the offsets (after, upto]. Pass it as `after` for the next page.'),
    more: z.boolean(),
    missing: z
      .object({ after: offset, upto: offset })
      .optional()
      .describe('Requested offsets (after, upto] that are no longer kept.'),
    messages: z.array(publication),
  }),
);
export const latestPage = component(
  'LatestPage',
  z.object({ topic: topicName, epoch, offset, next, messages: z.array(publication) }),
);
export const topicInfo = component(
  'TopicInfo',
  z.object({
    topic: topicName,
    epoch,
    offset,
    mode: z.enum(['stream', 'state']),
    publications: z.int().describe('Publications in the history.'),
    bytes: z.int(),
    keys: z.int().optional().describe('Number of keys, in state mode.'),
    subscribers: z.int(),
    lastPublishedAt: instant.optional(),
  }),
);
export const topicList = component('TopicList', z.object({ topics: z.array(topicInfo), next }));

const connection = component(
  'Connection',
  z.object({
    id: z.string(),
    user: z.string().optional(),
    client: z.string().optional(),
    transport: z.string(),
    codec: z.string(),
    address: z.string(),
    connectedAt: instant,
    lastSeenAt: instant,
    messageCount: z.int(),
    lagging: z.literal(true).optional().describe('It reads too slowly, and gets no live batches at present.'),
    unsentBytes: z.int().optional().describe('Bytes that are buffered for it; absent: none.'),
    subscriptions: z.array(z.object({ topic: z.string(), view: z.int() })),
  }),
);
export const connectionList = component(
  'ConnectionList',
  z.object({
    count: z.int().describe('Number of all connections, or of all those of the requested user.'),
    connections: z
      .array(connection)
      .describe(
        `The page ends before a connection with which it would have more than ${pageSubscriptionsMax} subscriptions.`,
      ),
    next,
  }),
);
export const acknowledged = component(
  'Acknowledged',
  z.object({ id: z.string(), acknowledged: z.literal(true) }),
);
export const disconnected = component(
  'Disconnected',
  z.object({ id: z.string(), disconnected: z.literal(true) }),
);

export const called = component(
  'Called',
  z.object({
    data: z.unknown().optional().describe('Answer of the application, byte for byte.'),
    dataBase64: z.string().optional().describe('Answer of the application, if it is not JSON.'),
  }),
);

export const revocation = component(
  'Revocation',
  z.object({
    jti: z.string().optional(),
    user: z.string().optional(),
    revokedAt: instant,
    until: instant.optional(),
  }),
);
const survivesRestarts = z
  .boolean()
  .describe('False with the engine memory, which loses revocations at a restart.');
export const revoked = component('Revoked', revocation.extend({ survivesRestarts }));
export const revocationList = component(
  'RevocationList',
  z.object({ revocations: z.array(revocation), survivesRestarts }),
);
export const restored = component(
  'Restored',
  z.object({ jti: z.string().optional(), user: z.string().optional(), restored: z.literal(true) }),
);

export const stats = component(
  'Stats',
  z.object({
    version: z.string(),
    state: z.enum(['running', 'draining']),
    startedAt: instant,
    uptimeSeconds: z.number(),
    engine: z.object({ name: z.string(), up: z.boolean() }),
    connections: z.object({ active: z.int(), total: z.int() }),
    users: z.int().describe('Users with at least one connection.'),
    publications: z.int(),
    deliveries: z.int(),
    sentBytes: z.int(),
    topics: z.int(),
    hottest: z
      .record(z.string(), z.number())
      .describe('Publications per second, over 10 s, of the topics that got most of them.'),
    subscriptions: z.object({
      total: z.int(),
      topics: z.int().describe('Topics and patterns with at least one subscription.'),
      busiest: z.record(z.string(), z.int()),
    }),
  }),
);
export const health = component('Health', z.object({ status: z.literal('ok') }));
export const readiness = component(
  'Readiness',
  z.object({ status: z.literal('ready'), checks: z.record(z.string(), z.string()) }),
);
