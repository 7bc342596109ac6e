import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

/**
 * A reverse proxy that serves a gateway below a path, which it strips, as `location /push/ { proxy_pass
 * http://gateway/; }` does.
 */
export class PrefixProxy {
  readonly url: string;
  /** Requests outside of the prefix: pages that are below it must not make any. */
  readonly strays: string[] = [];
  readonly #server: Server;

  private constructor(server: Server, prefix: string, gatewayPort: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`;
    const inner = (incoming: IncomingMessage) => {
      const path = incoming.url ?? '';
      if (path.startsWith(prefix)) return path.slice(prefix.length - 1);
      // Browsers ask for this one by themselves, where a page names no icon.
      if (path !== '/favicon.ico') this.strays.push(path);
      return undefined;
    };
    server.on('request', (incoming, response) => {
      const path = inner(incoming);
      if (path === undefined) {
        response.writeHead(404).end();
        return;
      }
      const { method, headers } = incoming;
      const forwarded = { ...headers, 'x-forwarded-for': '192.0.2.1' };
      const outgoing = request({ port: gatewayPort, host: '127.0.0.1', path, method, headers: forwarded });
      outgoing.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      outgoing.on('error', () => response.destroy());
      incoming.pipe(outgoing);
    });
    server.on('upgrade', (incoming, socket, head) => {
      const path = inner(incoming);
      if (path === undefined) {
        socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
        return;
      }
      const upstream = connect(gatewayPort, '127.0.0.1', () => {
        const { rawHeaders } = incoming;
        const lines = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : []));
        upstream.write([`GET ${path} HTTP/1.1`, ...lines, 'X-Forwarded-For: 192.0.2.1', '', ''].join('\r\n'));
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy());
    });
  }

  static async start(prefix: string, gatewayPort: number): Promise<PrefixProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new PrefixProxy(server, prefix, gatewayPort);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
