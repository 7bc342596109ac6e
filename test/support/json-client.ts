import type { ClientOptions } from 'ws';
import { SocketClient } from './socket-client.ts';

export type Frame = Readonly<Record<string, unknown>> & { readonly type: string };

/** A client without any code of Sluice: the package `ws` and JSON. */
export class JsonClient extends SocketClient<Frame, Frame, string> {
  /** The messages as they came. */
  readonly texts: string[] = [];
  #nextId = 1;

  constructor(url: string, protocols: string[] = [], options: ClientOptions = {}) {
    super(url, protocols, options);
  }

  /** Resolves once the gateway has greeted it. */
  static async open(url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<JsonClient> {
    const client = new JsonClient(url, protocols, options);
    await client.until((frame) => frame.type === 'connected');
    return client;
  }

  protected read(data: Buffer): Frame {
    const text = data.toString();
    this.texts.push(text);
    return JSON.parse(text) as Frame;
  }

  /** Sends a command and resolves with its reply or error. */
  async call(command: Record<string, unknown>): Promise<Frame> {
    const id = this.#nextId++;
    this.socket.send(JSON.stringify({ ...command, id }));
    return this.until((frame) => frame['id'] === id);
  }

  /** Of a topic, flat or in batches. */
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
}
