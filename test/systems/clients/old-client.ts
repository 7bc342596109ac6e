import { once } from 'node:events';
import WebSocket, { type ClientOptions } from 'ws';

export type OldMessage = Readonly<Record<string, unknown>> & { readonly type: string };

/** What the front ends of all five systems had: a WebSocket, JSON, and a list of what came. Nothing of Sluice. */
export class OldClient {
  readonly socket: WebSocket;
  readonly messages: OldMessage[] = [];
  closed: number | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data) => {
      this.messages.push(JSON.parse(data.toString()) as OldMessage);
      this.#wake();
    });
    this.socket.on('close', (code) => {
      this.closed = code;
      this.#wake();
    });
    this.socket.on('error', () => undefined);
  }

  async opened(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The first message of this type of all that came or will come, and that fits. */
  async message(type: string, fits: (message: OldMessage) => boolean = () => true): Promise<OldMessage> {
    await this.until(() => this.messages.some((each) => each.type === type && fits(each)));
    return this.messages.find((each) => each.type === type && fits(each)) as OldMessage;
  }

  /** Sends, and resolves with the first message of this type that comes after it. */
  async ask(message: object, type: string): Promise<OldMessage> {
    const before = this.messages.length;
    this.send(message);
    const isIt = (each: OldMessage, i: number) => i >= before && each.type === type;
    await this.until(() => this.messages.some(isIt));
    return this.messages.find(isIt) as OldMessage;
  }

  of(type: string): OldMessage[] {
    return this.messages.filter((each) => each.type === type);
  }

  /** Rejects when the connection ends before. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.closed !== undefined) throw new Error(`closed with ${this.closed}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** The close code, or why the connection was refused. */
  async refused(): Promise<number> {
    const [, response] = (await once(this.socket, 'unexpected-response')) as [
      unknown,
      { statusCode: number; resume(): void },
    ];
    response.resume();
    return response.statusCode;
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
