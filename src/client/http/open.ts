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
  readonly port: { readonly runtime: Runtime };
  openWebSocket(url: string, protocol: string): Socket;
  /** The first transport may work: a WebSocket opened, or a proxy reaches no gateway by this one. */
  found(): void;
}

/** Opens a connection over HTTP. This file loads all code for it. */
export function openHttp(url: string, protocol: string, token: string | undefined, home: HttpHome): Socket {
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
  const stop = isWanted ? lookForWebSocket(runtime, open, () => home.found()) : undefined;
  // The session of a stream ends with its connection.
  const known = current === 'poll' ? memory : {};
  const { commandTimeoutMs = 10_000, requestTimeoutMs = commandTimeoutMs / 4 } = options;
  const unreached = (): void => home.found();
  return new HttpSocket({
    ...{ url, token, receive, runtime, memory: known },
    ...{ commandTimeoutMs, requestTimeoutMs, ended: () => stop?.(), unreached },
  });
}
