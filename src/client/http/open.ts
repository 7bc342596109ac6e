import type { ClientOptions, Transport } from '../options.ts';
import type { Runtime, Socket } from '../runtime.ts';
import { HttpSocket } from './http-socket.ts';
import { lookForWebSocket } from './look.ts';
import { type HttpMemory, receivePolls, receiveStream } from './receive.ts';

/** What a connection over HTTP needs from its client. */
export interface HttpHome {
  readonly current: Transport;
  /** In the order in which they are tried. */
  readonly transports: readonly string[];
  readonly options: Pick<ClientOptions, 'fallbackPollingInterval' | 'commandTimeoutMs' | 'requestTimeoutMs'>;
  readonly memory: HttpMemory;
  /** How many transports have failed since the first one was tried. */
  turn: number;
  /** The connection is abandoned when a better transport may work. */
  readonly port: { readonly runtime: Runtime; readonly connection: { abandon(): void } };
  openWebSocket(url: string, protocol: string): Socket;
}

/** Opens a connection over HTTP. This file loads all code for it. */
function openHttp(url: string, protocol: string, token: string | undefined, home: HttpHome): Socket {
  const { current, transports, options, memory, port } = home;
  const { runtime } = port;
  const wait = (delayMs: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        runtime.clearTimeout(timer);
        reject(signal.reason as Error);
      };
      const timer = runtime.setTimeout(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      }, delayMs);
      signal.addEventListener('abort', stop);
    });
  const receive =
    current === 'poll' ? receivePolls(options.fallbackPollingInterval ?? 0, wait) : receiveStream;
  const open = (): Socket => home.openWebSocket(url, protocol);
  const isWanted = transports[0] === 'websocket';
  /** The first transport may work: a WebSocket opened, or a proxy reaches no gateway by this one. */
  const tryFirst = (): void => {
    home.turn = 0;
    port.connection.abandon();
  };
  const stop = isWanted ? lookForWebSocket(runtime, open, tryFirst) : undefined;
  // The session of a stream ends with its connection.
  const session = current === 'poll' ? memory : {};
  const { commandTimeoutMs = 10_000, requestTimeoutMs = commandTimeoutMs / 4 } = options;
  return new HttpSocket({
    url,
    token,
    receive,
    runtime,
    memory: session,
    commandTimeoutMs,
    requestTimeoutMs,
    ended: () => stop?.(),
    unreached: tryFirst,
  });
}

export { openHttp as code };
