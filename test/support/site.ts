import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Site {
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  close(): void;
}

interface File {
  readonly type: string;
  readonly content: string;
}

/** A web server of another origin than the gateway's: each path has a file, or the page. */
export async function startSite(
  page: string,
  files: Readonly<Record<string, File>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Site> {
  const server = createServer((request, response) => {
    const { type, content } = files[request.url ?? ''] ?? { type: 'text/html', content: page };
    response.writeHead(200, { ...headers, 'content-type': type }).end(content);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}
