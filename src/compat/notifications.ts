import { aliasesIn } from '../protocol/json/aliases.ts';
import { timeOf } from './codec.ts';
import { heartbeats, nameIn, quietEnd, type Wire, type WireOptions } from './wire.ts';

/** System D: notifications of users (`user:{id}`), and rooms (`room:{id}`). */
export function notifications({ namespace, now, user }: WireOptions): Wire {
  const { room_subscribe, room_unsubscribe, stats } = aliasesIn({ rooms: namespace, jobs: 'job' });
  const user_id = user ?? null;
  return {
    commands: {
      ...heartbeats,
      room_subscribe,
      room_unsubscribe: (fields) => ({ ...room_unsubscribe(fields), encodeReply: quietEnd }),
      stats: () => ({ ...stats(), encodeReply: undefined }),
    },
    words: {
      pong: () => ({ type: 'pong', data: {}, timestamp: now(), user_id }),
      result: ({ payload }) => ({ type: 'stats', data: dataOf(payload?.bytes), timestamp: now(), user_id }),
    },
    error: ({ code, message }) => ({ type: 'error', data: { code, message }, timestamp: now(), user_id }),
    publication: (topic, publication) => {
      const room = nameIn(namespace, topic);
      return {
        before: { type: publication.type, room },
        payload: 'data',
        after: { timestamp: timeOf(publication), user_id: userOf(topic) ?? null },
      };
    },
  };
}

function dataOf(bytes: Uint8Array | undefined): unknown {
  return bytes === undefined ? {} : JSON.parse(new TextDecoder().decode(bytes));
}

/** The user of the topic. The name was made from a user id, so it can be decoded. */
function userOf(topic: string): string | undefined {
  const name = nameIn('user', topic);
  return name === undefined ? undefined : decodeURIComponent(name);
}
