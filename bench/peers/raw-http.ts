import type * as Uws from 'uWebSockets.js';
import { createRequire } from 'node:module';
import { serveCalls } from '../support/worker.ts';

/**
 * The upper bound for `POST /api/publish`: reads the body, checks it with JSON.parse, and responds. Nothing is kept or
 * sent.
 */

const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof Uws;

function start(): Promise<number> {
  const app = uws.App();
  app.post('/api/publish', (response) => {
    let body = Buffer.alloc(0);
    response.onAborted(() => undefined);
    response.onData((chunk, isLast) => {
      body = Buffer.concat([body, Buffer.from(chunk)]);
      if (!isLast) return;
      JSON.parse(body.toString('utf8'));
      response.cork(() => {
        response.writeHeader('content-type', 'application/json');
        response.end('{"epoch":"abcdefgh","offset":1}');
      });
    });
  });
  return new Promise((resolve) => {
    app.listen('127.0.0.1', 0, (socket) => resolve(uws.us_socket_local_port(socket as never)));
  });
}

const handlers = { start };
export type RawHttpCalls = typeof handlers;
serveCalls(handlers);
