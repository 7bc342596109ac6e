import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { stampTextOf } from '../support/payload.ts';
import { type PeerOptions, servePeer, topicsOf } from './peer.ts';

/**
 * socket.io as its documentation shows it: topics are rooms, an update is an event with an object. With a Redis, by its
 * adapter for streams.
 */

let server: Server | undefined;
let first: { readonly bytes: number; readonly update: object } | undefined;

function start(options: PeerOptions): Promise<number> {
  const http = createServer();
  server = new Server(http, {
    transports: ['websocket'],
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

/**
 * An application has an object and no bytes. To parse each message would take longer than socket.io takes to write it,
 * so only the time is read anew.
 */
function updateOf(message: Buffer): object {
  if (first?.bytes !== message.length)
    first = { bytes: message.length, update: JSON.parse(message.toString('latin1')) as object };
  return { ...first.update, at: stampTextOf(message) };
}

servePeer({
  start,
  send(topic, message) {
    server!.to(topic).emit('update', updateOf(message));
    return true;
  },
});
