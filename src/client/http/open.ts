import type { FrameSocket, Runtime, Socket } from '../runtime.ts';
import { HttpSocket } from './http-socket.ts';
import { lookForWebSocket } from './look.ts';
import { type HttpMemory, receivePolls, receiveStream } from './receive.ts';

export interface HttpOptions {
  readonly token: string | undefined;
  readonly runtime: Runtime;
  readonly transport: 'sse' | 'poll';
  readonly pollIntervalMs: number;
  readonly memory: HttpMemory;
  /** Whether a WebSocket opens again, while this connection lasts; undefined: none is wanted. */
  readonly look: { open(): Socket; found(): void } | undefined;
}

/** Opens a connection over HTTP. All code for it is loaded from here. */
export function openHttp(
  url: string,
  { token, runtime, transport, pollIntervalMs, memory, look }: HttpOptions,
): FrameSocket {
  const wait = (delayMs: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = runtime.setTimeout(resolve, delayMs);
      signal.addEventListener('abort', () => {
        runtime.clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
  const receive = transport === 'poll' ? receivePolls(pollIntervalMs, wait) : receiveStream;
  const stop = look && lookForWebSocket(runtime, look.open, look.found);
  // The session of a stream ends with its connection.
  const known = transport === 'poll' ? memory : {};
  return new HttpSocket(url, token, receive, runtime, known, () => stop?.());
}
