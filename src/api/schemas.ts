import { z } from 'zod';
import { jsonName } from '../protocol/json/names.ts';
import { type FieldRow, fieldRows, type Kinds, seenRows } from '../protocol/publication.ts';
import { maxFieldLengths, maxTagLength, maxTags } from '../protocol/publish-limits.ts';
import { topicNameMaxLength } from '../topics/topic-name.ts';

/** Named schemas: components of the OpenAPI document. */
export const components = z.registry<{ readonly id: string }>();

function component<T extends z.ZodType>(id: string, schema: T): T {
  components.add(schema, { id });
  return schema;
}

/** A whole number in a query. */
export function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}

const pageMax = 1000;
const limit = wholeNumber(1, pageMax).default(100).describe(`Maximum number of entries, at most ${pageMax}.`);
const after = z.string().default('').describe('`next` of the page before.');
const next = z.string().optional().describe('There is more: `after` of the next page.');

const offset = z.int().min(0).describe('1, 2, 3 …; 0: nothing was published yet.');
const epoch = z.string().describe('The identity of the numbering. Empty: nothing was published yet.');
const instant = z.iso.datetime({ offset: true });
const topicName = z.string().min(1).max(topicNameMaxLength);

// ---- requests

export const defaultType = 'publication';

const schemasOf: { readonly [K in keyof Kinds]: (member: FieldRow) => z.ZodType<Kinds[K] | string> } = {
  text: ({ minLength = 0, maxLength = Number.MAX_SAFE_INTEGER }) => z.string().min(minLength).max(maxLength),
  tags: () =>
    z
      .record(z.string().min(1).max(maxTagLength), z.string().max(maxTagLength))
      .refine((tags) => Object.keys(tags).length <= maxTags, `at most ${maxTags} tags`),
  flag: () => z.boolean(),
  duration: () => z.int().min(1),
  instant: () => instant,
  integer: () => z.int().min(0),
};

/** null means absent, as in the wire protocol. */
const publicationFields: Readonly<Record<string, z.ZodType>> = {
  type: z.string().nullish().describe(`The kind of update; default "${defaultType}".`),
  ...Object.fromEntries(
    fieldRows
      .filter(({ isReserved }) => isReserved !== true)
      .map((row) => [jsonName(row), schemasOf[row.kind](row).nullish().describe(row.sentence)]),
  ),
  dataBase64: z.string().nullish().describe('Instead of `data`: any bytes.'),
};

const data = z.unknown().optional().describe('Any JSON value; delivered byte for byte. Default: null.');
export const publishBody = component(
  'Publish',
  z.strictObject({ topic: topicName, ...publicationFields, data }),
);
const recipientsMax = 500;
const names = (of: string) =>
  z.array(z.string().min(1).max(topicNameMaxLength)).max(recipientsMax).optional().describe(of);
/** Whom a broadcast is for. Never null: a list that is missing by mistake would mean everyone. */
export const recipients = z
  .strictObject({
    users: names('Only to these users, each by its plain id (the `sub` of its tokens).'),
    topics: names('Only to these topics.'),
  })
  .refine(
    ({ users = [], topics = [] }) => users.length + topics.length <= recipientsMax,
    `at most ${recipientsMax} users and topics together`,
  );
export const broadcastBody = component(
  'Broadcast',
  z.strictObject({ ...publicationFields, data, ...recipients.shape }),
);
export const notifyBody = component('Notification', z.strictObject({ ...publicationFields, data }));
export const syncBody = component(
  'Sync',
  z.strictObject({
    ...publicationFields,
    data,
    except: z.string().min(1).max(maxFieldLengths.except).describe('The session of the device that has it.'),
  }),
);
export const userParams = z.object({
  user: z
    .string()
    .min(1)
    .max(topicNameMaxLength)
    .describe(
      'The plain id (the `sub` of its tokens) as one percent-encoded segment: `alice%40example.org`, `a%2Fb`.',
    ),
});
export const batchItemsMax = 1000;
const acksMax = 1000;
export const batchBody = component('PublishBatch', z.array(publishBody).max(batchItemsMax));
export const emptyBody = component('Empty', z.strictObject({}));

export const jobParams = z.object({
  id: z
    .string()
    .min(1)
    .max(topicNameMaxLength - 'job:'.length)
    .describe('One percent-encoded segment, of the characters of topics.'),
});
export const jobBody = component(
  'JobUpdate',
  z.strictObject({
    progress: z
      .number()
      .min(0)
      .max(100)
      .optional()
      .describe('Percent. Default: as before; 100 where the job is completed.'),
    status: z
      .string()
      .min(1)
      .max(64)
      .default('running')
      .describe('`completed` and `error` end the job; everything else is the application’s.'),
    current_step: z.string().max(1000).optional(),
    currentStep: z
      .string()
      .max(1000)
      .optional()
      .describe('Another name of `current_step`, which comes first.'),
    error: z.string().max(4000).optional().describe('What went wrong, for people.'),
    details: z.unknown().optional().describe('Any JSON value.'),
    restart: z
      .boolean()
      .default(false)
      .describe('The job begins anew: it may have ended, and progress may go backwards.'),
    messageId: z.string().min(1).max(128).optional(),
  }),
);

export const topicParams = z.object({
  topic: z
    .string()
    .describe('One percent-encoded segment. `$all` has the broadcasts; other names with `$` are for keys.'),
});
export const connectionParams = z.object({ id: z.string().min(1).max(200) });

export const topicsQuery = z.strictObject({
  prefix: z
    .string()
    .default('')
    .describe('Only topics whose names begin so. Sluice’s own are listed when it begins with `$`.'),
  after,
  limit,
});
export const historyQuery = z.strictObject({
  after: wholeNumber(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('After this offset; default: from the oldest one kept.'),
  limit,
});
export const latestQuery = z.strictObject({
  key: z.string().optional().describe('Only this key.'),
  after,
  limit,
});
export const connectionsQuery = z.strictObject({
  topic: z.string().optional().describe('Only subscribers of this topic or pattern.'),
  user: z.string().optional().describe('Only those of this user.'),
  after,
  limit,
});
export const userConnectionsQuery = z.strictObject({ after, limit });

// ---- responses

const error = component(
  'Error',
  z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() }),
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
      .describe('The messageId was seen before: this is its first position.'),
  }),
);
export const notified = component(
  'Notified',
  published.extend({
    connections: z.int().describe('Connections of the user that get it now. Others get it when they come.'),
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
      .describe('Where users or topics are named: one each, the users first, in their order.'),
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
    ended: z.boolean().describe('It is completed or has failed.'),
    topic: z.string(),
    epoch,
    offset,
  }),
);
export const batchPublished = component(
  'BatchPublished',
  z.object({ results: z.array(z.union([published, errorBody])).describe('One per item, in their order.') }),
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
    upto: offset.describe('The page covers the offsets (after, upto]; ask on with `after` = this.'),
    more: z.boolean(),
    missing: z
      .object({ after: offset, upto: offset })
      .optional()
      .describe('What was asked for and is gone: offsets (after, upto].'),
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
    publications: z.int().describe('Held by the ring.'),
    bytes: z.int(),
    keys: z.int().optional().describe('In state mode.'),
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
    subscriptions: z.array(z.object({ topic: z.string(), view: z.int() })),
  }),
);
export const connectionList = component(
  'ConnectionList',
  z.object({
    count: z.int().describe('All connections; all of the user, of whom one asked.'),
    connections: z.array(connection),
    next,
  }),
);
export const acksBody = component(
  'Acks',
  z.strictObject({
    acks: z
      .array(
        z.strictObject({
          view: z.int().min(0),
          offset: z.int().min(0).describe('Up to here the application has had everything of that view.'),
        }),
      )
      .min(1)
      .max(acksMax),
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

export const callBody = component(
  'Call',
  z.strictObject({
    method: z.string().min(1).max(1024).describe('What the application is to do.'),
    data: z.unknown().optional().describe('For the application, byte for byte.'),
    dataBase64: z.base64().optional().describe('The same for bytes.'),
  }),
);
export const called = component(
  'Called',
  z.object({
    data: z.unknown().optional().describe('What the application answered, byte for byte.'),
    dataBase64: z.string().optional().describe('The same where it answered bytes.'),
  }),
);

const tokenId = z.string().min(1).max(200).describe('`jti` of the token.');
const revokedUser = z.string().min(1).max(200).describe('`sub` of the tokens.');
export const restoreBody = component(
  'Restore',
  z.strictObject({ jti: tokenId.optional(), user: revokedUser.optional() }),
);
export const revokeBody = component(
  'Revoke',
  z.strictObject({
    jti: tokenId.optional(),
    user: revokedUser.optional(),
    exp: z
      .number()
      .positive()
      .max(253_402_300_799)
      .optional()
      .describe(
        '`exp` of the token, seconds since 1970: until then it is remembered. Absent: until it is restored.',
      ),
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
const survivesRestarts = z.boolean().describe('With the engine memory a restart forgets what was revoked.');
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
    users: z.int().describe('With at least one connection.'),
    publications: z.int(),
    deliveries: z.int(),
    sentBytes: z.int(),
    topics: z.int(),
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
