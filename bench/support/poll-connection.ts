import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { responseWithinMs } from './event-stream.ts';

export interface PollAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** The connection by which one client polls: a request at a time. */
export class PollConnection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #localAddress: string | undefined;
  #request: ClientRequest | undefined;

  constructor(localAddress?: string) {
    this.#localAddress = localAddress;
  }

  /** Rejects when it is cut or lost. */
  async get(port: number, query: URLSearchParams): Promise<PollAnswer> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const where = { host: '127.0.0.1', port, localAddress: this.#localAddress, agent: this.#agent };
      this.#request = request({ ...where, path: `/poll?${query}` }, resolve);
      this.#request.setTimeout(responseWithinMs, () => this.#request?.destroy());
      this.#request.on('error', reject);
      this.#request.end();
    });
    const { statusCode: status = 0, headers } = response;
    return { status, headers, body: await text(response) };
  }

  /** The network fails. */
  cut(): void {
    this.#request?.destroy();
  }

  close(): void {
    this.#agent.destroy();
  }
}
