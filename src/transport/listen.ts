import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import type { Uws } from './uws.ts';

export interface Listening {
  readonly port: number;
  /** Takes no more connections; those that are open stay. */
  stop(): void;
}

/**
 * `LIBUS_LISTEN_EXCLUSIVE_PORT`. By default the library lets several processes share a port: a second gateway, started by
 * accident, would take half of the clients away from the first without a word.
 */
const exclusivePort = 1;

/** This form of `listen` is missing in the library's types. */
interface Listener {
  listen(host: string, port: number, options: number, then: (socket: us_listen_socket | false) => void): void;
}

/** Begins to listen. Rejects with `code` EADDRINUSE or EACCES: the library doesn't say which, or why. */
export function listen(uws: Uws, app: TemplatedApp, host: string, port: number): Promise<Listening> {
  return new Promise((resolve, reject) => {
    (app as unknown as Listener).listen(host, port, exclusivePort, (socket) => {
      if (socket === false) {
        const error: NodeJS.ErrnoException = new Error(`cannot listen on ${host}:${port}`);
        const isPrivileged = port > 0 && port < 1024 && process.getuid?.() !== 0;
        error.code = isPrivileged ? 'EACCES' : 'EADDRINUSE';
        reject(error);
      } else {
        const listening = {
          port: uws.us_socket_local_port(socket as never),
          stop: () => uws.us_listen_socket_close(socket),
        };
        resolve(listening);
      }
    });
  });
}
