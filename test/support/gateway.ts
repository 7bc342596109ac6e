import { type Config, loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { type RunningServer, startServer } from '../../src/server.ts';

export interface TestGateway extends RunningServer {
  /** http://127.0.0.1:PORT */
  readonly url: string;
  /** ws://127.0.0.1:PORT/ws */
  readonly wsUrl: string;
  post(
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers?: Record<string, string>,
  ): Promise<Response>;
  /** The value of one metric, summed over its labels. */
  metric(name: string): Promise<number>;
}

/** A real gateway on a free port; `flags` as on the command line. `output`: takes the lines of its log. Close it. */
export async function startGateway(
  flags: { readonly [N in Exclude<keyof Config, 'namespaces'>]?: unknown } = {},
  file?: string,
  output?: { write(line: string): void },
): Promise<TestGateway> {
  const config = loadConfig({
    flags: { port: 0, shutdownGraceSeconds: 1, logLevel: 'silent', canary: false, ...flags },
    file,
  });
  const server = await startServer(config, { log: createLog(config, output) });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    ...server,
    url,
    wsUrl: `ws://127.0.0.1:${server.port}/ws`,
    post: (path, body, headers = {}) =>
      fetch(url + path, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
      }),
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      return text
        .split('\n')
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
  };
}
