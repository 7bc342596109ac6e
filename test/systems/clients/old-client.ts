import { once } from 'node:events';
import type { ClientOptions } from 'ws';
import { SocketClient } from '../../support/socket-client.ts';

export type OldMessage = Readonly<Record<string, unknown>> & { readonly type: string };

/** What the front ends of all five systems had: a WebSocket, JSON, and a list of what came. Nothing of Sluice. */
export class OldClient extends SocketClient<OldMessage, OldMessage, string> {
  constructor(url: string, options: ClientOptions = {}) {
    super(url, [], options);
  }

  async opened(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  protected read(data: Buffer): OldMessage {
    return JSON.parse(data.toString()) as OldMessage;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The first message of this type of all that came or will come, and that fits. */
  message(type: string, fits: (message: OldMessage) => boolean = () => true): Promise<OldMessage> {
    return this.until((each) => each.type === type && fits(each));
  }

  /** Sends, and resolves with the first message of this type that comes after it. */
  ask(message: object, type: string): Promise<OldMessage> {
    let before = this.frames.length;
    this.send(message);
    return this.until((each) => before-- <= 0 && each.type === type);
  }

  /** The messages of a type. */
  publications(type: string): OldMessage[] {
    return this.frames.filter((each) => each.type === type);
  }

  /** The status with which the connection was refused. */
  async refused(): Promise<number> {
    const [, response] = (await once(this.socket, 'unexpected-response')) as [
      unknown,
      { statusCode: number; resume(): void },
    ];
    response.resume();
    return response.statusCode;
  }
}
