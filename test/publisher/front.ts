import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';

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

/** A TCP proxy that ends each connection after some bytes of either direction. */
export class CuttingProxy {
  readonly url: string;
  cuts = 0;
  /** No connection is cut any more. */
  isCalm = false;
  readonly #server: TcpServer;

  private constructor(server: TcpServer, port: number, bytesUntilCut: () => number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (client) => {
      const gateway = connect(port, '127.0.0.1');
      const end = () => {
        client.destroy();
        gateway.destroy();
      };
      for (const socket of [client, gateway]) socket.on('error', end).on('close', end);
      for (const [from, to] of [
        [client, gateway],
        [gateway, client],
      ] as const) {
        let left = bytesUntilCut();
        from.on('data', (bytes) => {
          left -= bytes.length;
          if (left >= 0 || this.isCalm) to.write(bytes);
          else {
            // What came before the cut still goes on.
            to.write(bytes.subarray(0, bytes.length + left), end);
            this.cuts++;
          }
        });
      }
    });
  }

  static async before(port: number, bytesUntilCut: () => number): Promise<CuttingProxy> {
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new CuttingProxy(server, port, bytesUntilCut);
  }

  close(): void {
    this.isCalm = true;
    this.#server.close();
  }
}
