import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { type AddressInfo, createServer } from 'node:net';
import type { Uws } from './load.ts';

export interface Listening {
  readonly port: number;
  /** Takes no more connections; those that are open stay. */
  stop(): void;
}

/**
 * Thrown when listening on this host and port fails. `code` is the system's: EADDRINUSE, EACCES, EADDRNOTAVAIL,
 * ENOTFOUND …
 */
export class ListenError extends Error {
  readonly code: string;
  readonly syscall = 'listen';
  readonly host: string;
  readonly port: number;

  constructor(code: string, host: string, port: number, cause?: unknown) {
    super(`cannot listen on ${host}:${port}: ${code}`, { cause });
    this.name = 'ListenError';
    this.code = code;
    this.host = host;
    this.port = port;
  }
}

/**
 * `LIBUS_LISTEN_EXCLUSIVE_PORT`. By default the library lets several processes share a port: a second gateway, started
 * by accident, would take half of the clients away from the first without a word.
 */
const exclusivePort = 1;

/** The library's types lack this form of `listen`. */
interface Listener {
  listen(host: string, port: number, options: number, then: (socket: us_listen_socket | false) => void): void;
}

/** Ports that the system chooses are tried so often: another process may take one before. */
const chosenMax = 10;

/**
 * Begins to listen. `isShared`: other processes may listen on the same port; 0 is then any free one.
 * Rejects with a `ListenError`.
 */
export async function listen(
  uws: Uws,
  app: TemplatedApp,
  host: string,
  port: number,
  isShared = false,
): Promise<Listening> {
  for (let chosen = 1; ; chosen++) {
    // The library would share no port of the system's choice.
    const isChosen = isShared && port === 0;
    const tried = isChosen ? await freePort(host, 0) : port;
    const socket = await new Promise<us_listen_socket | false>((resolve) => {
      (app as unknown as Listener).listen(host, tried, isShared ? 0 : exclusivePort, resolve);
    });
    if (socket !== false)
      return {
        port: uws.us_socket_local_port(socket as never),
        stop: () => uws.us_listen_socket_close(socket),
      };
    const reason = await reasonNotToListen(host, tried);
    if (!isChosen || reason.code !== 'EADDRINUSE' || chosen === chosenMax) throw reason;
  }
}

/**
 * The port for processes that will listen on it together; none of them would notice that it is taken. `port`, if it is
 * free now. For 0 any, held until `stop`, so that no other process takes it before they listen. Rejects with a
 * `ListenError`.
 */
export async function reservePort(load: () => Uws, host: string, port: number): Promise<Listening> {
  if (port !== 0) return { port: await freePort(host, port), stop: () => undefined };
  const uws = load();
  const app = uws.App();
  const held = await listen(uws, app, host, 0, true);
  return { port: held.port, stop: () => app.close() };
}

/** A port that is free now: `port`, or any for 0. Rejects with a `ListenError`. */
export async function freePort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(error.code ?? 'EADDRINUSE', host, port, error)),
    );
    server.listen({ host, port, exclusive: true }, () => {
      const { port: free } = server.address() as AddressInfo;
      server.close(() => resolve(free));
    });
  });
}

/** The library does not tell the reason. Node does, when it tries the same. */
async function reasonNotToListen(host: string, port: number): Promise<ListenError> {
  // Where Node can listen a moment later, the port was taken until now.
  return freePort(host, port).then(
    () => new ListenError('EADDRINUSE', host, port),
    (error: ListenError) => error,
  );
}
