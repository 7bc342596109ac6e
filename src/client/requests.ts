import type { CommandKind, Commands } from '../protocol/client-frames.ts';
import type { PublishFields } from '../protocol/frames.ts';
import { checkedFields, checkedValue } from './check.ts';
import { localError } from './client-error.ts';
import { isText } from './filter-check.ts';
import { payloadOf } from './payload.ts';
import type { PublishOptions } from './publication.ts';
import type { SubscribeOptions } from './subscriptions/subscribe-options.ts';
import type { Raw } from './wire/parse.ts';
import { clientFrame, fieldsOfKind, serverFrame, subscriptionFields } from './wire/tables.ts';

/**
 * Checks and copies the application's arguments within its call, which throws the gateway's error for a wrong one. An
 * encoder, which runs in a later turn and beside other commands, then meets no value that it can't write.
 */

export function checkedCommand<K extends CommandKind>(kind: K, fields: Raw): Commands[K] {
  return checkedFields(fieldsOfKind(clientFrame, kind), fields) as unknown as Commands[K];
}

const typePattern = /^[\w\-.:]{1,64}$/;

export function checkedPublish(
  topic: unknown,
  type: unknown,
  data: unknown,
  options: PublishOptions | undefined,
): PublishFields {
  const fields = checkedCommand('publish', {
    ...options,
    topic: checkedTopic(topic),
    type,
    payload: payloadOf(data),
    expectedOffset: undefined,
  });
  checkedValue({ name: 'exceptSelf' }, options?.exceptSelf ?? false);
  if (!typePattern.test(fields.type) || isControlName(fields.type)) throw localError('invalid_type');
  return fields;
}

export function checkedSubscribe(
  topic: unknown,
  options: SubscribeOptions,
): { readonly topic: string; readonly options: SubscribeOptions } {
  const begin = Array.isArray(options.since) ? { positions: options.since, since: undefined } : {};
  const fields = checkedFields(subscriptionFields, {
    ...options,
    ...begin,
    topic: checkedTopic(topic),
    token: undefined,
  });
  const { topic: name, since, positions = since } = fields;
  return {
    topic: name as string,
    options: { ...fields, since: positions, positions: undefined } as SubscribeOptions,
  };
}

/** The options of a subscription that continues with other keys. Throws `invalid_request`. */
export function otherKeys<O extends SubscribeOptions>(options: O, wanted: readonly string[]): O {
  if (!options.keys) throw localError('invalid_request');
  const { keys } = checkedCommand('setKeys', { keys: wanted ?? '' });
  return { ...options, keys, since: undefined, last: undefined, cursor: undefined };
}

/** The gateway refuses these types, because the type of a JSON message says which frame it is. */
function isControlName(type: string): boolean {
  const kind = type.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Boolean(fieldsOfKind(serverFrame, kind) ?? fieldsOfKind(clientFrame, kind));
}

function checkedTopic(topic: unknown): string {
  if (isText(topic) && topic) return topic;
  throw localError('invalid_topic');
}
