import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { clientFrame } from '../../test/support/raw-socket.ts';
import { opcodes } from '../support/raw-client.ts';
import { type PeerOptions, servePeer, topicsOf } from './peer.ts';

/**
 * The package `ws`, as its documentation shows it: a loop over all clients. With `batchMs` in its fastest form: the
 * messages of an interval are one frame, which is built once and written directly to the sockets.
 */

interface Member {
  readonly client: WebSocket;
  readonly socket: Socket;
}

const members = new Map<string, Member[]>();
let batches = false;

function start(options: PeerOptions): Promise<number> {
  batches = (options.batchMs ?? 0) > 0;
  const http = createServer();
  const server = new WebSocketServer({ server: http, path: '/ws', perMessageDeflate: false });
  let connections = 0;
  server.on('connection', (client, { socket }) => {
    for (const topic of topicsOf(options, connections++)) {
      const list = members.get(topic) ?? [];
      list.push({ client, socket });
      members.set(topic, list);
    }
    client.send('ready');
  });
  return new Promise((resolve) => {
    http.listen(0, '127.0.0.1', () => resolve((http.address() as AddressInfo).port));
  });
}

servePeer({
  start,
  send(topic, message) {
    const list = members.get(topic) ?? [];
    if (batches) {
      const frame = clientFrame(opcodes.text, message, { masked: false });
      for (const { socket } of list) socket.write(frame);
    } else {
      for (const { client } of list) client.send(message, { binary: false });
    }
    return true;
  },
});
