import { once } from 'node:events';
import WebSocket, { type ClientOptions } from 'ws';

export type Frame = Readonly<Record<string, unknown>> & { readonly type: string };

/** A client without any code of Sluice: the package `ws` and JSON. Keeps all that it receives, in order. */
export class JsonClient {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  /** The messages as they came. */
  readonly texts: string[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #waiting = new Set<() => void>();
  #nextId = 1;

  constructor(url: string, protocols: string[] = [], options: ClientOptions = {}) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on('message', (data) => {
      const text = data.toString();
      this.texts.push(text);
      this.frames.push(JSON.parse(text) as Frame);
      this.#wake();
    });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
    this.socket.on('error', () => undefined);
  }

  /** Resolves once the gateway has greeted it. */
  static async open(url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<JsonClient> {
    const client = new JsonClient(url, protocols, options);
    await client.until((frame) => frame.type === 'connected');
    return client;
  }

  /** Sends a command and resolves with its reply or error. */
  async call(command: Record<string, unknown>): Promise<Frame> {
    const id = this.#nextId++;
    this.socket.send(JSON.stringify({ ...command, id }));
    return this.until((frame) => frame['id'] === id);
  }

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

  /** Every publication of a topic that came so far, flat or in batches, in order. */
  publications(topic: string): Frame[] {
    const found: Frame[] = [];
    for (const frame of this.frames) {
      if (frame['topic'] !== topic) continue;
      if (Array.isArray(frame['messages']) && frame.type !== 'snapshot')
        found.push(...(frame['messages'] as Frame[]));
      else if (typeof frame['offset'] === 'number' && 'timestamp' in frame) found.push(frame);
    }
    return found;
  }

  /** Resolves when at least `count` publications of the topic have come. */
  async count(topic: string, count: number): Promise<Frame[]> {
    for (;;) {
      const found = this.publications(topic);
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
