import type * as Uws from 'uWebSockets.js';
import { createRequire } from 'node:module';
import { type PeerOptions, servePeer, topicsOf } from './peer.ts';

/** The upper bound: uWebSockets.js alone, publishing in its own process, without order or history. */

const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof Uws;
const app = uws.App();

function start(options: PeerOptions): Promise<number> {
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

servePeer({
  start,
  send(topic, message) {
    app.publish(topic, message, false, false);
    return true;
  },
});
