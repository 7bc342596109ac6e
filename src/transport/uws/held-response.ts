import type { HttpResponse } from 'uWebSockets.js';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { listen } from './listen.ts';
import type { Uws } from './load.ts';

/** A response that this process owes to itself: something that can be corked while no client is connected. */
interface HeldResponse {
  cork(run: () => void): void;
  close(): void;
}

/** Sends itself a request, by a port that is open for that moment only. */
export async function holdResponse(uws: Uws): Promise<HeldResponse> {
  const app = uws.App();
  // Others on this machine may connect, too.
  const path = `/${randomUUID()}`;
  let isHeld = true;
  const asked = new Promise<HttpResponse>((resolve) => {
    app.get(path, (response) => {
      response.onAborted(() => {
        isHeld = false;
      });
      resolve(response);
    });
  });
  const { port, stop } = await listen(uws, app, '127.0.0.1', 0, false);
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  try {
    await once(socket, 'connect');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const response = await asked;
    return {
      // Without it the library's warning is written, and an aborted response would throw.
      cork: (run) => (isHeld ? void response.cork(run) : run()),
      close: () => {
        isHeld = false;
        app.close();
        socket.destroy();
      },
    };
  } finally {
    stop();
  }
}
