import { isUtf8 } from 'node:buffer';
import { publishFor } from '../api/application.ts';
import { type ApiResponse, json } from '../api/http.ts';
import type { ApiPorts } from '../api/ports.ts';
import type { Call } from '../api/route.ts';
import { SluiceError } from '../errors.ts';
import { cutMembers } from '../protocol/json/envelope.ts';
import { publishOf, type Tags } from '../protocol/publication.ts';
import { targetProblem } from '../sessions/target.ts';

/** Parsing a body of this size takes a few milliseconds. */
const bodyMaxBytes = 256 * 1024;

/** The body of a request by a backend of an older system. */
export interface OldBody {
  readonly members: Readonly<Record<string, unknown>>;
  /** The member `data`, byte for byte; without it the whole body. */
  readonly data: Uint8Array;
}

export function readOldBody(body: Uint8Array): OldBody {
  if (body.length > bodyMaxBytes)
    throw new SluiceError('frame_too_large', `this body has at most ${bodyMaxBytes} bytes`);
  if (!isUtf8(body)) throw new SluiceError('invalid_json', 'the body is not UTF-8');
  const cut = cutMembers(body, ['data']);
  if (!cut.ok) throw new SluiceError('invalid_json', cut.message);
  return { members: cut.envelope, data: cut.values[0] ?? body };
}

/** The first of these members that exists, as text. Throws unless it is a text or a number. */
export function textOf(members: Readonly<Record<string, unknown>>, ...names: string[]): string | undefined {
  const name = names.find((each) => members[each] !== undefined && members[each] !== null);
  const value = name === undefined ? undefined : members[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && value !== '') return value;
  throw new SluiceError('invalid_request', `${name} must be a non-empty string`);
}

export interface OldPublish {
  readonly type: string;
  readonly data: Uint8Array;
  readonly key?: string;
  readonly tags?: Tags;
  readonly except?: string;
}

/**
 * Publishes to each of the topics, if the caller may publish to all of them. Responds with the number of subscribed
 * sessions.
 */
export async function publishToAll(
  topics: readonly string[],
  { type, data, key, tags, except }: OldPublish,
  call: Call,
  ports: ApiPorts,
): Promise<ApiResponse> {
  for (const topic of topics) {
    const problem = targetProblem(topic) ?? ports.authorize(call.identity, 'publish', topic);
    if (problem !== undefined) throw problem;
  }
  const payload = { format: 'json', bytes: data } as const;
  const publishes = topics.map((topic) => publishOf({ topic, type, payload, key, tags, except }));
  const outcomes = await publishFor(call, ports, publishes);
  for (const outcome of outcomes) if (!outcome.ok) throw outcome.error;
  let recipients = 0;
  for (const topic of topics) recipients += (await ports.topics.info(topic)).subscribers;
  return json({ success: true, topics, recipients });
}
