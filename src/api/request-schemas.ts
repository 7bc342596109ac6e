import { z } from 'zod';
import { jsonName } from '../protocol/json/names.ts';
import { type FieldRow, fieldRows, type Kinds } from '../protocol/publication.ts';
import { fieldMaxLengths, tagMaxLength, tagsMax } from '../protocol/publish-limits.ts';
import { topicNameMaxLength } from '../topics/topic-name.ts';
import { after, component, instant, limit, text, topicName, wholeNumber } from './schemas.ts';

export const defaultType = 'publication';

const schemasOf: { readonly [K in keyof Kinds]: (member: FieldRow) => z.ZodType<Kinds[K] | string> } = {
  text: ({ minLength = 0, maxLength = Number.MAX_SAFE_INTEGER }) => z.string().min(minLength).max(maxLength),
  tags: () =>
    z
      .record(text(tagMaxLength), z.string().max(tagMaxLength))
      .refine((tags) => Object.keys(tags).length <= tagsMax, `at most ${tagsMax} tags`),
  flag: () => z.boolean(),
  duration: () => z.int().min(1),
  instant: () => instant,
  integer: () => z.int().min(0),
};

/** null means absent, as in the wire protocol. */
const publicationFields: Readonly<Record<string, z.ZodType>> = {
  type: z.string().nullish().describe(`Type of the update; default "${defaultType}".`),
  ...Object.fromEntries(
    fieldRows
      .filter(({ isOfCommands }) => isOfCommands !== true)
      .map((row) => [jsonName(row), schemasOf[row.kind](row).nullish().describe(row.sentence)]),
  ),
  dataBase64: z.string().nullish().describe('Any bytes, instead of `data`.'),
};

const data = z.unknown().optional().describe('Any JSON value; delivered byte for byte. Default: null.');
export const publishBody = component(
  'Publish',
  z.strictObject({ topic: topicName, ...publicationFields, data }),
);
const recipientsMax = 500;
const names = (of: string) => z.array(topicName).max(recipientsMax).optional().describe(of);
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
    except: text(fieldMaxLengths.except).describe('Session of the device that already has it.'),
  }),
);
export const userParams = z.object({
  user: text(topicNameMaxLength).describe(
    'Id of the user (`sub` of the token), percent-encoded: `alice%40example.org`, `a%2Fb`.',
  ),
});
export const batchItemsMax = 1000;
const acksMax = 1000;
export const batchBody = component('PublishBatch', z.array(publishBody).max(batchItemsMax));
export const emptyBody = component('Empty', z.strictObject({}));

export const jobParams = z.object({
  id: text(topicNameMaxLength - 'job:'.length).describe(
    'Percent-encoded; only characters that topics may have.',
  ),
});
export const jobBody = component(
  'JobUpdate',
  z.strictObject({
    progress: z
      .number()
      .min(0)
      .max(100)
      .optional()
      .describe('Percent. Default: unchanged; 100 for a completed job.'),
    status: text(64)
      .default('running')
      .describe(
        '`completed` and `error` end the job. The application may use any other text, such as `failed`, which does not.',
      ),
    current_step: z.string().max(1000).nullish(),
    currentStep: z
      .string()
      .max(1000)
      .nullish()
      .describe('Another name of `current_step`, which takes precedence.'),
    error: z.string().max(4000).nullish().describe('Error message for people.'),
    details: z.unknown().optional().describe('Any JSON value.'),
    restart: z
      .boolean()
      .default(false)
      .describe('Start the job anew, even if it has ended; progress may then go backwards.'),
    messageId: text(128).optional(),
    job_id: z.union([z.string(), z.int()]).nullish().describe('The job of the path.'),
    timestamp: instant.nullish().describe('Time of the report. Default: the gateway’s clock.'),
  }),
);

export const topicParams = z.object({
  topic: z
    .string()
    .describe('Percent-encoded. `$all` has the broadcasts; other names with `$` require an API key.'),
});
export const connectionParams = z.object({ id: text(200) });

export const topicsQuery = z.strictObject({
  prefix: z
    .string()
    .default('')
    .describe('Only topics whose names start with this. Sluice’s own are listed if it starts with `$`.'),
  after,
  limit,
});
export const historyQuery = z.strictObject({
  after: wholeNumber(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Only publications after this offset; default: from the oldest one kept.'),
  limit,
});
export const latestQuery = z.strictObject({
  key: z.string().optional().describe('Only this key.'),
  after,
  limit,
});
export const connectionsQuery = z.strictObject({
  topic: z.string().optional().describe('Only subscribers of this topic or pattern.'),
  user: z.string().optional().describe('Only connections of this user.'),
  lagging: z.literal('true').optional().describe('Only connections that read too slowly.'),
  after,
  limit,
});
export const userConnectionsQuery = z.strictObject({ after, limit });

export const callBody = component(
  'Call',
  z.strictObject({
    method: text(1024).describe('Name of the method.'),
    data: z.unknown().optional().describe('Any JSON value, passed on byte for byte.'),
    dataBase64: z.base64().optional().describe('Any bytes, instead of `data`.'),
  }),
);

export const acksBody = component(
  'Acks',
  z.strictObject({
    acks: z
      .array(
        z.strictObject({
          view: z.int().min(0),
          offset: z
            .int()
            .min(0)
            .describe('The application has had everything of this view up to this offset.'),
          epoch: z
            .string()
            .optional()
            .describe(
              'The epoch of the offset. An offset of another epoch than that of the view is ignored.',
            ),
        }),
      )
      .min(1)
      .max(acksMax),
  }),
);

const tokenId = text(200).describe('`jti` of the token.');
const revokedUser = text(200).describe('`sub` of the tokens.');
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
        '`exp` of the token, seconds since 1970: the revocation is kept until then. Default: until it is undone.',
      ),
  }),
);
