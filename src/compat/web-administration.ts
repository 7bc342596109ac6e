import type { Fields } from '../protocol/fields.ts';
import type { Publication } from '../protocol/frames.ts';
import { textIn } from '../protocol/json/aliases.ts';
import { join } from '../protocol/json/text.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import { timeOf } from './codec.ts';
import { heartbeats, type Message, nameIn, type Wire, type WireOptions } from './wire.ts';

const topics = ['stats', 'rules', 'system', 'logs', 'alerts', 'notifications'];

/** Events within this time are sent together. */
const windowMs = 100;

/** Types whose members of `data` are members of the message, too. */
const lifted: ReadonlySet<string> = new Set(['rule_change']);

/** System C: web administration, whose topics (`stats`) are `admin:stats`. */
export function webAdministration({ namespace, now }: WireOptions): Wire {
  const topicOf = (fields: Fields) => {
    const topic = textIn(fields, ['topic']);
    if (!topics.includes(topic)) fields.fail('topic', `must be one of ${topics.join(', ')}`);
    return topic;
  };
  const told = (type: string, topic: string, reply: ServerFrame) => {
    const isDone = isKnown(reply) || reply.kind === 'unsubscribed' || isGranted(reply);
    return isDone ? join([JSON.stringify({ type, topic, data: { topic }, timestamp: now() })]) : undefined;
  };
  return {
    commands: {
      ...heartbeats,
      subscribe: (fields) => {
        const topic = topicOf(fields);
        return {
          kind: 'subscribe',
          subscriptions: [{ topic: `${namespace}:${topic}`, intervalMs: windowMs }],
          encodeReply: (reply) => told('subscription', topic, reply),
        };
      },
      unsubscribe: (fields) => {
        const topic = topicOf(fields);
        return {
          kind: 'unsubscribe',
          topics: [`${namespace}:${topic}`],
          encodeReply: (reply) => told('unsubscription', topic, reply),
        };
      },
    },
    words: {
      connected: ({ session }) => {
        const client_id = `client_${session}`;
        return { type: 'connected', client_id, data: { client_id }, timestamp: now() };
      },
      pong: () => ({ type: 'pong', timestamp: now() }),
    },
    error: ({ code, message }): Message => ({
      type: 'error',
      code,
      message,
      data: { code, message },
      timestamp: now(),
    }),
    publication: (topic, publication) => ({
      before: { type: publication.type, topic: nameIn(namespace, topic) },
      payload: 'data',
      after: { ...liftedMembers(publication), timestamp: timeOf(publication) },
    }),
    batch: (topic, messages) => [
      JSON.stringify({ type: 'batch', topic: nameIn(namespace, topic), count: messages.length }).slice(0, -1),
      ',"messages":[',
      ...messages.flatMap((message, i) => (i === 0 ? [message] : [',', message])),
      `],"timestamp":"${now()}"}`,
    ],
  };
}

/** The client subscribed to what it has already, or ended what it does not have. */
function isKnown(reply: ServerFrame): boolean {
  if (reply.kind === 'error') return reply.code === 'not_subscribed';
  if (reply.kind !== 'subscribed') return false;
  return reply.results.every((result) => 'error' in result && result.error.code === 'already_subscribed');
}

function isGranted(reply: ServerFrame): boolean {
  return reply.kind === 'subscribed' && reply.results.every((result) => !('error' in result));
}

/** `rule_id`, `action` and `details` of a change of rules. */
function liftedMembers({ type, payload }: Publication): object {
  if (!lifted.has(type) || payload.format === 'binary' || payload.bytes.length === 0) return {};
  const data: unknown = JSON.parse(new TextDecoder().decode(payload.bytes));
  if (typeof data !== 'object' || data === null) return {};
  const { rule_id, action, details } = data as Readonly<Record<string, unknown>>;
  return { rule_id, action, details };
}
