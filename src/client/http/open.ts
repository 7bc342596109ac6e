import type { FrameSocket, Runtime } from '../runtime.ts';
import { HttpSocket } from './http-socket.ts';
import { receiveStream } from './receive.ts';
import type { Transport } from './transports.ts';

export { lookForWebSocket } from './look.ts';

export interface HttpOptions {
  readonly token: string | undefined;
  readonly runtime: Runtime;
  readonly transport: Transport;
  readonly pollIntervalMs: number;
}

/** Opens a connection over HTTP. All code for it is loaded from here. */
export function openHttp(url: string, { token, runtime }: HttpOptions): FrameSocket {
  return new HttpSocket(url, token, receiveStream, runtime);
}
