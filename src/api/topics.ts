import type { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { toInstant } from '../protocol/instant.ts';
import { jsonCodec } from '../protocol/json/codec.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import type { StoredPublication } from '../topics/publication.ts';
import { topicProblem } from '../topics/topic-name.ts';
import { type ApiResponse, json, jsonText } from './http.ts';
import type { ApiPorts, TopicInfo } from './ports.ts';
import type { Call } from './route.ts';
import type { historyQuery, latestQuery, topicInfo, topicParams, topicsQuery } from './schemas.ts';

type Params = z.output<typeof topicParams>;

/** `GET /api/topics` */
export async function listTopics(
  { query, identity }: Call<unknown, z.output<typeof topicsQuery>>,
  { topics, authorize }: ApiPorts,
): Promise<ApiResponse> {
  const pattern = canonicalTopic(`${query.prefix}*`);
  const refusal = authorize(identity, 'subscribe', pattern);
  if (refusal !== undefined) throw refusal;
  const prefix = pattern.slice(0, -1);
  const page = await topics.list({ ...query, prefix });
  return json(200, { topics: page.topics.map(infoBody), next: page.next });
}

/** `GET /api/topics/{topic}` */
export async function showTopic(call: Call<Params>, ports: ApiPorts): Promise<ApiResponse> {
  return json(200, infoBody(await ports.topics.info(readableTopic(call, ports))));
}

/** `GET /api/topics/{topic}/history` */
export async function showHistory(
  call: Call<Params, z.output<typeof historyQuery>>,
  ports: ApiPorts,
): Promise<ApiResponse> {
  const topic = readableTopic(call, ports);
  const page = await ports.topics.history(topic, call.query.after, call.query.limit);
  const { epoch, after, upto, more, missing, publications } = page;
  return spliced({ topic, epoch, after, upto, more, missing }, publications);
}

/** `GET /api/topics/{topic}/latest` */
export async function showLatest(
  call: Call<Params, z.output<typeof latestQuery>>,
  ports: ApiPorts,
): Promise<ApiResponse> {
  const topic = readableTopic(call, ports);
  const { epoch, offset, next, publications } = await ports.topics.latest(topic, call.query);
  return spliced({ topic, epoch, offset, next }, publications);
}

function readableTopic({ params, identity }: Call<Params>, { authorize }: ApiPorts): string {
  const topic = canonicalTopic(params.topic);
  const problem = topicProblem(topic);
  if (problem !== undefined) throw new SluiceError('invalid_topic', problem);
  const refusal = authorize(identity, 'subscribe', topic);
  if (refusal !== undefined) throw refusal;
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
