import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { FrameSocket, Socket } from '../runtime.ts';

/** A socket whose code is loaded first: most clients never need it. */
export class LaterSocket implements FrameSocket {
  binaryType = '';
  readonly protocol = '';
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  onerror: Socket['onerror'] = null;
  #socket: FrameSocket | undefined;
  #isClosed = false;
  readonly #ended: () => void;

  constructor(loading: Promise<() => FrameSocket>, ended: () => void) {
    this.#ended = ended;
    loading.then(
      (make) => {
        if (!this.#isClosed) this.#use(make());
      },
      () => this.onclose?.({ code: 1006, reason: 'the code of this transport could not be loaded' }),
    );
  }

  send(): void {}

  /** Nothing is sent before the socket has opened. */
  sendFrame(frame: ClientFrame): void {
    this.#socket?.sendFrame(frame);
  }

  close(code?: number, reason?: string): void {
    this.#isClosed = true;
    this.#ended();
    this.#socket?.close(code, reason);
  }

  #use(socket: FrameSocket): void {
    this.#socket = socket;
    socket.onopen = () => this.onopen?.();
    socket.onmessage = (event) => this.onmessage?.(event);
    socket.onclose = (event) => {
      this.#ended();
      this.onclose?.(event);
    };
  }
}
