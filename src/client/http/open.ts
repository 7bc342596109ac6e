import type { FrameSocket, Runtime } from '../runtime.ts';
import { HttpSocket } from './http-socket.ts';
import { receivePolls, receiveStream } from './receive.ts';

export { lookForWebSocket } from './look.ts';

export interface HttpOptions {
  readonly token: string | undefined;
  readonly runtime: Runtime;
  readonly transport: 'sse' | 'poll';
  readonly pollIntervalMs: number;
}

/** Opens a connection over HTTP. All code for it is loaded from here. */
export function openHttp(
  url: string,
  { token, runtime, transport, pollIntervalMs }: HttpOptions,
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
  return new HttpSocket(url, token, receive, runtime);
}
