import type { z } from 'zod';
import { throwIf } from '../errors.ts';
import type { Filter } from '../protocol/frames.ts';
import { toInstant } from '../protocol/instant.ts';
import { jsonCodec } from '../protocol/json/codec.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { compileFilter } from '../topics/filter.ts';
import type { StoredPublication } from '../topics/publication.ts';
import { topicNameProblem } from '../topics/publish-problem.ts';
import { readingFor } from './application.ts';
import { type ApiResponse, json, jsonText } from './http.ts';
import { readInOwnTurn } from './own-turn.ts';
import type { ApiPorts, TopicInfo } from './ports.ts';
import type { historyQuery, latestQuery, topicParams, topicsQuery } from './request-schemas.ts';
import type { topicInfo } from './response-schemas.ts';
import type { Call } from './route.ts';

type Params = z.output<typeof topicParams>;

/** `GET /api/topics` */
export async function listTopics(
  call: Call<unknown, z.output<typeof topicsQuery>>,
  ports: ApiPorts,
): Promise<ApiResponse> {
  const { query, identity } = call;
  const { topics, authorize } = ports;
  const pattern = canonicalTopic(`${query.prefix}*`);
  throwIf(authorize(identity, 'subscribe', pattern));
  await readingFor(call, ports, pattern);
  const prefix = pattern.slice(0, -1);
  return readInOwnTurn(
    call,
    ports,
    () => topics.list({ ...query, prefix }),
    (page) => json({ topics: page.topics.map(infoBody), next: page.next }),
  );
}

/** `GET /api/topics/{topic}` */
export async function showTopic(call: Call<Params>, ports: ApiPorts): Promise<ApiResponse> {
  const topic = readableTopic(call, ports);
  await readingFor(call, ports, topic);
  return json(infoBody(await ports.topics.info(topic)));
}

/** `GET /api/topics/{topic}/history` */
export async function showHistory(
  call: Call<Params, z.output<typeof historyQuery>>,
  ports: ApiPorts,
): Promise<ApiResponse> {
  const topic = readableTopic(call, ports);
  const filter = await readingFor(call, ports, topic);
  const { after: asked, limit } = call.query;
  return readInOwnTurn(
    call,
    ports,
    () => ports.topics.history(topic, asked, limit),
    ({ epoch, after, upto, more, missing, publications }) =>
      spliced({ topic, epoch, after, upto, more, missing }, matching(publications, filter)),
  );
}

/** `GET /api/topics/{topic}/latest` */
export async function showLatest(
  call: Call<Params, z.output<typeof latestQuery>>,
  ports: ApiPorts,
): Promise<ApiResponse> {
  const topic = readableTopic(call, ports);
  const filter = await readingFor(call, ports, topic);
  return readInOwnTurn(
    call,
    ports,
    () => ports.topics.latest(topic, call.query),
    ({ epoch, offset, next, publications }) =>
      spliced({ topic, epoch, offset, next }, matching(publications, filter)),
  );
}

/** What the application lets the caller read. */
function matching(
  publications: readonly StoredPublication[],
  filter: Filter | undefined,
): readonly StoredPublication[] {
  if (filter === undefined) return publications;
  const { matches } = compileFilter(filter);
  return publications.filter(({ tags }) => matches(tags));
}

function readableTopic({ params, identity }: Call<Params>, { authorize }: ApiPorts): string {
  const topic = canonicalTopic(params.topic);
  throwIf(topicNameProblem(topic) ?? authorize(identity, 'subscribe', topic));
  return topic;
}

function infoBody({ lastPublishedAtMs, ...info }: TopicInfo): z.output<typeof topicInfo> {
  return {
    ...info,
    lastPublishedAt: lastPublishedAtMs === undefined ? undefined : toInstant(lastPublishedAtMs),
  };
}

const comma = new TextEncoder().encode(',');

/** `header` and, as `messages`, the publications in the very bytes that subscribers get. */
function spliced(header: object, publications: readonly StoredPublication[]): ApiResponse {
  const pieces: Uint8Array[] = [Buffer.from(`${JSON.stringify(header).slice(0, -1)},"messages":[`)];
  for (const publication of publications) {
    if (pieces.length > 1) pieces.push(comma);
    pieces.push(publication.encoded(jsonCodec));
  }
  pieces.push(Buffer.from(']}'));
  return jsonText(200, Buffer.concat(pieces));
}
