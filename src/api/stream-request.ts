import { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { clientBounds, readClientFrame } from '../protocol/client-frames.ts';
import type { Subscription } from '../protocol/frames.ts';
import { jsonDialect } from '../protocol/json/codec.ts';
import { withoutByteOrderMark } from '../protocol/utf8.ts';
import { type Cursor, cursorMaxLength, parseCursor } from '../topics/cursor.ts';
import { wholeNumber } from './schemas.ts';
import { validate } from './validate.ts';

/** What a client asks a stream or a poll for. */
export interface StreamRequest {
  readonly subscriptions: readonly Subscription[];
  /** The cursor where it continues; undefined: it begins. A cursor of another form counts as too old. */
  readonly cursor: Cursor | undefined;
  /** The cursor as it was sent; empty: there is none. */
  readonly text: string;
  readonly eventNames: 'message' | 'type';
  /** The client says by requests what its application has had. */
  readonly acks: boolean;
  /** The session that polled for this client before, which ends. */
  readonly former: string | undefined;
  readonly timeoutSeconds: number;
}

const names = z.enum(['message', 'type']).default('message');
const timeoutMaxSeconds = 60;
const formerMaxLength = 100;
const defaultTimeoutSeconds = 25;
/**
 * Of a filter that is given once for many topics, as each subscription has it: as much as a body may have where each is
 * written out.
 */
const filterOfAllMaxLength = 256 * 1024;

const words = {
  topic: 'A topic or pattern; repeatable.',
  filter: 'For all topics: only publications whose tags match, as in the subscribe command.',
  last: 'For all topics, without a cursor: start with the newest N publications.',
  intervalMs: 'For all topics: at most one batch per interval.',
  conflate: 'For all topics: only the newest publication per key of each batch.',
  subscriptions: 'More subscriptions with options of their own, as in the subscribe command.',
  cursor: 'Newest cursor of the client, from which to continue. The header `Last-Event-ID` takes precedence.',
  events: 'Name of the events: `message`, or `type` for the type of each publication.',
  acks: 'The client acknowledges positions in inboxes by `POST /api/connections/{id}/acks`. Otherwise its next cursor acknowledges what precedes it, or sending it does.',
  former:
    'Previous session of this client (from `connected`), if it continues without a cursor. That session ends at once, and this one takes its place.',
  timeoutSeconds: 'Maximum time that a poll waits for publications; 0: not at all.',
} as const;

const cursorText = z.string().max(cursorMaxLength).optional().describe(words.cursor);

const queryShape = {
  topic: z.array(z.string()).default([]).describe(words.topic),
  filter: jsonText().optional().describe(`${words.filter} JSON.`),
  last: wholeNumber(0, 2 ** 32 - 1)
    .optional()
    .describe(words.last),
  intervalMs: wholeNumber(0, 2 ** 32 - 1)
    .optional()
    .describe(words.intervalMs),
  conflate: flag().describe(words.conflate),
  subscriptions: jsonText().optional().describe(`${words.subscriptions} A JSON array.`),
  acks: flag().describe(words.acks),
  cursor: cursorText,
  lastEventId: cursorText.describe('Another name of `cursor`, used by some clients.'),
  token: z.string().optional().describe('Short-lived token, for clients that cannot send headers.'),
};
const { list: listMax } = clientBounds;
const bodyShape = {
  topic: z
    .union([z.string(), z.array(z.string()).max(listMax)], `must be a text or up to ${listMax} texts`)
    .optional()
    .describe(words.topic),
  filter: z.unknown().optional().describe(words.filter),
  last: z.int().min(0).optional().describe(words.last),
  intervalMs: z.int().min(0).optional().describe(words.intervalMs),
  conflate: z.boolean().optional().describe(words.conflate),
  subscriptions: z.array(z.unknown()).max(listMax).optional().describe(words.subscriptions),
  cursor: cursorText,
  acks: z.boolean().optional().describe(words.acks),
};
const events = { events: names.describe(words.events) };
const former = { former: z.string().max(formerMaxLength).optional().describe(words.former) };
const timeout = {
  timeoutSeconds: z
    .int()
    .min(0)
    .max(timeoutMaxSeconds)
    .default(defaultTimeoutSeconds)
    .describe(words.timeoutSeconds),
};
const timeoutOfQuery = {
  timeoutSeconds: wholeNumber(0, timeoutMaxSeconds)
    .default(defaultTimeoutSeconds)
    .describe(words.timeoutSeconds),
};

export const sseQuery = z.strictObject({ ...queryShape, ...events });
export const sseBody = z.strictObject({ ...bodyShape, ...events });
export const pollQuery = z.strictObject({ ...queryShape, ...former, ...timeoutOfQuery });
export const pollBody = z.strictObject({ ...bodyShape, ...former, ...timeout });

export const pollReply = z.object({
  events: z.array(z.looseObject({ type: z.string() })).describe('Frames of the JSON codec, in order.'),
  cursor: z
    .string()
    .describe('Cursor for the next poll; also in the header Sluice-Cursor, which a 204 has, too.'),
});

function flag() {
  return z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .pipe(z.boolean())
    .optional();
}

/** A parameter whose text is JSON. */
function jsonText() {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'is not JSON' });
        return z.NEVER;
      }
    })
    .pipe(z.unknown());
}

/** The members that all shapes have. */
interface StreamFields {
  readonly topic?: string | readonly string[] | undefined;
  readonly filter?: unknown;
  readonly last?: number | undefined;
  readonly intervalMs?: number | undefined;
  readonly conflate?: boolean | undefined;
  readonly subscriptions?: unknown;
  readonly cursor?: string | undefined;
  readonly lastEventId?: string | undefined;
  readonly events?: 'message' | 'type';
  readonly acks?: boolean | undefined;
  readonly former?: string | undefined;
  readonly timeoutSeconds?: number;
}

/**
 * The session that a query says its client had before, found without reading the rest; undefined: perhaps one that a
 * cursor of its `subscriptions` names. `lastEventId`: the header of that name; empty: none.
 */
export function formerOfQuery(query: string, lastEventId: string): string | undefined {
  const text = lastEventId || valueInQuery(query, 'cursor') || valueInQuery(query, 'lastEventId');
  return text ? parseCursor(text)?.stream?.session : valueInQuery(query, 'former');
}

function valueInQuery(query: string, name: string): string | undefined {
  const at = `&${query}`.indexOf(`&${name}=`);
  if (at < 0) return undefined;
  const end = query.indexOf('&', at);
  const pair = end < 0 ? query.slice(at) : query.slice(at, end);
  return new URLSearchParams(pair).get(name) ?? undefined;
}

/** `lastEventId`: the header of that name; empty: none. */
export function readStreamQuery(
  schema: typeof sseQuery | typeof pollQuery,
  query: string,
  lastEventId: string,
): StreamRequest | SluiceError {
  const values: Record<string, string | string[]> = Object.create(null) as Record<string, string>;
  const topics: string[] = [];
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === 'topic') topics.push(value);
    else if (name in values) {
      return new SluiceError('invalid_request', `${JSON.stringify(name)} is given twice in the query`);
    } else values[name] = value;
  }
  const fields = validate<StreamFields>(schema, { ...values, topic: topics });
  return fields instanceof SluiceError ? fields : streamRequest(fields, lastEventId);
}

export function readStreamBody(
  schema: typeof sseBody | typeof pollBody,
  body: Uint8Array,
  lastEventId: string,
): StreamRequest | SluiceError {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(withoutByteOrderMark(body)));
  } catch (cause) {
    return new SluiceError('invalid_json', 'the body is not JSON in UTF-8', { cause });
  }
  const fields = validate<StreamFields>(schema, value);
  return fields instanceof SluiceError ? fields : streamRequest(fields, lastEventId);
}

function streamRequest(asked: StreamFields, lastEventId: string): StreamRequest | SluiceError {
  const subscriptions = subscriptionsOf(asked);
  if (subscriptions instanceof SluiceError) return subscriptions;
  const text = lastEventId || asked.cursor || asked.lastEventId || '';
  return {
    subscriptions,
    cursor: text === '' ? undefined : (parseCursor(text) ?? unknownCursor),
    text,
    eventNames: asked.events ?? 'message',
    acks: asked.acks === true,
    former: asked.former,
    timeoutSeconds: asked.timeoutSeconds ?? defaultTimeoutSeconds,
  };
}

/** No engine numbers its commits so. */
const unknownCursor: Cursor = { epoch: '-', seq: 0, lacksValues: false };

/** Reads them as the subscribe command does: a fault of one is told in its own result. */
function subscriptionsOf({
  topic = [],
  subscriptions = [],
  ...common
}: StreamFields): readonly Subscription[] | SluiceError {
  if (!Array.isArray(subscriptions))
    return new SluiceError('invalid_request', 'subscriptions: must be an array');
  const topics = [...new Set(typeof topic === 'string' ? [topic] : topic)];
  const options = optionsOfAll(topics.length, common);
  if (options instanceof SluiceError) return options;
  const all = [...topics.map((name) => ({ topic: name })), ...(subscriptions as readonly unknown[])];
  if (all.length === 0) return [];
  const valid = readSubscriptions(all);
  if (valid instanceof SluiceError) return valid;
  return valid.map((each, index) =>
    index < topics.length && each.fault === undefined ? { ...options, topic: each.topic } : each,
  );
}

/** The options that a request names once, for all its topics. `topics`: how many. */
function optionsOfAll(
  topics: number,
  { filter, last, intervalMs, conflate }: StreamFields,
): Omit<Subscription, 'topic'> | SluiceError {
  if (topics === 0) return {};
  const valid = readSubscriptions([{ topic: 'any', filter, last, intervalMs, conflate }]);
  if (valid instanceof SluiceError) return valid;
  const { topic: _topic, ...options } = valid[0] as Subscription;
  const filterLength = options.filter === undefined ? 0 : JSON.stringify(options.filter).length;
  if (topics * filterLength > filterOfAllMaxLength) {
    const problem = `the filter is too long for ${topics} topics: together ${filterOfAllMaxLength} characters at most`;
    return new SluiceError('invalid_filter', problem);
  }
  return options;
}

/** Never by way of a text: what a client nests deeply can't be written as one. */
function readSubscriptions(subscriptions: readonly unknown[]): readonly Subscription[] | SluiceError {
  const decoded = readClientFrame('subscribe', 0, { subscriptions }, jsonDialect);
  if (!decoded.ok) return new SluiceError(decoded.code, decoded.message);
  return decoded.frame.kind === 'subscribe' ? decoded.frame.subscriptions : [];
}
