import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** Returns true where it has answered, or will not answer at all. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A server before a gateway, which sees its requests and connections, and may answer in its place. */
export class Front {
  readonly url: string;
  /** Method and path of each request. */
  readonly requests: string[] = [];
  readonly sockets: Socket[] = [];
  intercept: Intercept = () => false;
  readonly #server: Server;

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.keepAliveTimeout = 0;
    server.on('connection', (socket) => this.sockets.push(socket));
    server.on('request', (incoming, response) => {
      this.requests.push(`${incoming.method} ${incoming.url}`);
      if (this.intercept(incoming, response)) return;
      const { method, headers } = incoming;
      const onward = request(`${target}${incoming.url}`, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      incoming.pipe(onward);
    });
  }

  static async before(target: string): Promise<Front> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Front(server, target);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}
