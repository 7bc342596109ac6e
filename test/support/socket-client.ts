import { once } from 'node:events';
import WebSocket, { type ClientOptions } from 'ws';

/** A WebSocket that keeps all frames that it receives, in order. */
export abstract class SocketClient<Frame, Publication, Feed> {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(url: string, protocols: string[], options: ClientOptions) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(this.read(data));
      this.#wake();
    });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
    this.socket.on('error', () => undefined);
  }

  protected abstract read(data: Buffer): Frame;

  /** Every publication of a topic or view that came so far, in order. */
  abstract publications(of: Feed): Publication[];

  /** The first matching frame of all that came or will come. Rejects when the connection ends before. */
  async until(isIt: (frame: Frame) => boolean): Promise<Frame> {
    let looked = 0;
    for (;;) {
      for (; looked < this.frames.length; looked++) {
        const frame = this.frames[looked] as Frame;
        if (isIt(frame)) return frame;
      }
      if (this.closed !== undefined) throw new Error(`closed with ${this.closed.code} ${this.closed.reason}`);
      await this.#change();
    }
  }

  /** Resolves when at least `count` of these publications have come. */
  async count(of: Feed, count: number): Promise<Publication[]> {
    for (;;) {
      const found = this.publications(of);
      if (found.length >= count) return found;
      if (this.closed !== undefined) throw new Error(`closed with ${found.length} of ${count} publications`);
      await this.#change();
    }
  }

  async end(): Promise<{ readonly code: number; readonly reason: string }> {
    while (this.closed === undefined) await this.#change();
    return this.closed;
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
