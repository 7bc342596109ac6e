import { chargeBytes, publishCharged } from '../api/application.ts';
import { type ApiResponse, json } from '../api/http.ts';
import { inOwnTurn, pieceBytes } from '../api/own-turn.ts';
import type { ApiPorts } from '../api/ports.ts';
import type { Call } from '../api/route.ts';
import type { Awaitable } from '../awaitable.ts';
import { SluiceError, throwIf } from '../errors.ts';
import { publishOf, type Tags } from '../protocol/publication.ts';
import { targetProblem } from '../sessions/commands/target.ts';
import type { OldBody } from './old-body.ts';

export interface OldPublish {
  readonly type: string;
  readonly body: Pick<OldBody, 'payload' | 'timestampMs'>;
  readonly key?: string;
  readonly tags?: Tags;
  readonly except?: string;
}

/** How many get it. */
export type CountRecipients = (topic: string, ports: ApiPorts) => Awaitable<number>;

const subscribers: CountRecipients = async (topic, { topics }) => (await topics.info(topic)).subscribers;

/**
 * Publishes to each of the topics, if the caller may publish to all of them. One body may be for a thousand topics,
 * and is then published in turns of its own. Its copies may be no larger together than a body. Responds with the number
 * of recipients: without `recipientsOf` the subscriptions of the topics.
 */
export async function publishToAll(
  topics: readonly string[],
  { type, body, key, tags, except }: OldPublish,
  call: Call,
  ports: ApiPorts,
  recipientsOf = subscribers,
): Promise<ApiResponse> {
  for (const topic of topics)
    throwIf(targetProblem(topic) ?? ports.authorize(call.identity, 'publish', topic));
  const payload = { format: 'json', bytes: body.payload } as const;
  const { length } = payload.bytes;
  if (length * topics.length > ports.bodyMaxBytes)
    throw new SluiceError(
      'payload_too_large',
      `all copies of the payload have at most ${ports.bodyMaxBytes} bytes together`,
    );
  chargeBytes(call, ports, length * topics.length);
  const { timestampMs } = body;
  const publish = (some: readonly string[]) =>
    publishCharged(
      call,
      ports,
      some.map((topic) => publishOf({ topic, type, payload, key, tags, except, timestampMs })),
    );
  // Turns of its own would let the gateway take no more than one such request per turn.
  const isSmall = topics.length === 1 && length <= pieceBytes;
  const atOnce = Math.max(1, Math.floor(pieceBytes / Math.max(1, length)));
  for (let from = 0; from < topics.length; from += atOnce) {
    const some = topics.slice(from, from + atOnce);
    const published = isSmall ? publish(some) : inOwnTurn(call, ports, () => publish(some));
    for (const outcome of await published) if (!outcome.ok) throw outcome.error;
  }
  let recipients = 0;
  for (const topic of topics) recipients += await recipientsOf(topic, ports);
  return json({ success: true, topics, recipients });
}
