import type * as Uws from 'uWebSockets.js';
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import { type PeerOptions, servePeer, topicsOf } from './peer.ts';

/**
 * The upper bound: uWebSockets.js alone, publishing in its own process, without order or history. With a Redis, each
 * message goes by a channel of it: the least that a message between two servers takes.
 */

const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof Uws;
const app = uws.App();
const channel = 'messages';
const topicEnd = 0x0a;
let redis: Redis | undefined;

async function start(options: PeerOptions): Promise<number> {
  if (options.redisUrl !== undefined) await join(options.redisUrl);
  let connections = 0;
  app.ws('/ws', {
    maxBackpressure: 1024 * 1024,
    idleTimeout: 60,
    open(socket) {
      for (const topic of topicsOf(options, connections++)) socket.subscribe(topic);
      socket.send('ready');
    },
  });
  return new Promise((resolve) => {
    app.listen('127.0.0.1', 0, (socket) => resolve(uws.us_socket_local_port(socket as never)));
  });
}

async function join(url: string): Promise<void> {
  redis = new Redis(url);
  const subscriber = new Redis(url);
  subscriber.on('messageBuffer', (_: Buffer, message: Buffer) => {
    const end = message.indexOf(topicEnd);
    app.publish(message.toString('latin1', 0, end), message.subarray(end + 1), false, false);
  });
  await subscriber.subscribe(channel);
}

servePeer({
  start,
  send(topic, message) {
    if (redis === undefined) app.publish(topic, message, false, false);
    else void redis.publish(channel, Buffer.concat([Buffer.from(`${topic}\n`), message]));
    return true;
  },
});
