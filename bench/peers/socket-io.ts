import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { type PeerOptions, servePeer, topicsOf } from './peer.ts';

/**
 * socket.io as its documentation shows it: topics are rooms, an update is an event with an object. With a Redis, by its
 * adapter for streams.
 */

const longMs = 300_000;
let server: Server | undefined;

function start(options: PeerOptions): Promise<number> {
  const http = createServer();
  // The load does not answer its heartbeats.
  server = new Server(http, {
    ...{ transports: ['websocket'], pingInterval: longMs, pingTimeout: longMs },
    ...(options.redisUrl !== undefined && {
      adapter: createAdapter(new Redis(options.redisUrl)),
      // As the gateway does, so that clients that were away get what they have missed.
      connectionStateRecovery: {},
    }),
  });
  let connections = 0;
  server.on('connection', (socket) => {
    void socket.join(topicsOf(options, connections++));
  });
  return new Promise((resolve) => {
    http.listen(0, '127.0.0.1', () => resolve((http.address() as AddressInfo).port));
  });
}

servePeer({
  start,
  send(topic, message) {
    server!.to(topic).emit('update', JSON.parse(message.toString('latin1')));
    return true;
  },
});
