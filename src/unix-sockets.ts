import { connect, createServer } from 'node:net';

/**
 * Listens on a unix socket that only shows that the process is alive. Returns a function that closes it; undefined: the
 * address is taken. `forAll`: every user may connect. A socket without a file allows that anyway.
 */
export function listenAt(path: string, forAll = false): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path, writableAll: forAll }, () => {
      server.unref();
      resolve(() => server.close());
    });
  });
}

/** Whether a process listens on the unix socket. */
export function isListening(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const settle = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.on('connect', () => settle(true));
    // Any other error comes from a live socket, whose queue may be full.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => settle(!isDead(code)));
  });
}

/** `ENOTSOCK`, `ENOTDIR`: in a copy of the folder there is a file in its place. */
function isDead(code: string | undefined): boolean {
  return code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTSOCK' || code === 'ENOTDIR';
}
