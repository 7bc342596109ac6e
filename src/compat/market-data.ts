import { toInstant } from '../protocol/instant.ts';
import { aliasesIn, statusText, topicIn } from '../protocol/json/aliases.ts';
import { timeOf } from './codec.ts';
import { heartbeats, nameIn, quietEnd, type Wire, type WireOptions } from './wire.ts';

const members = ['symbol'];

/** System B: market data, whose symbols (`BTC/USDT`) are the topics `market:BTC/USDT`. */
export function marketData({ namespace, now }: WireOptions): Wire {
  const symbolOf = (topic: string) => nameIn(namespace, topic);
  const { get_status } = aliasesIn({ rooms: 'room', jobs: 'job' });
  return {
    commands: {
      ...heartbeats,
      subscribe: (fields) => ({
        kind: 'subscribe',
        subscriptions: [{ topic: topicIn(namespace, fields, members) }],
      }),
      unsubscribe: (fields) => ({
        kind: 'unsubscribe',
        topics: [topicIn(namespace, fields, members)],
        encodeReply: quietEnd,
      }),
      get_status: () => ({ ...get_status(), encodeReply: (reply) => statusText(reply, symbolOf) }),
    },
    words: {
      pong: ({ timeMs }) => ({ type: 'pong', timestamp: toInstant(timeMs) }),
      // A ping of the gateway.
      message: ({ type }) => ({ type, timestamp: now() }),
    },
    error: ({ code, message }) => ({ type: 'error', code, message, timestamp: now() }),
    publication: (topic, publication) => ({
      before: { type: publication.type, symbol: symbolOf(topic) },
      payload: 'data',
      after: { timestamp: timeOf(publication) },
    }),
  };
}
