import { type Config, loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { metricAt } from './metric-at.ts';

interface Published {
  readonly epoch: string;
  readonly offset: number;
  readonly [name: string]: unknown;
}

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
  /** Publishes one, or a batch, which is accepted. Returns the reply. */
  publish(what: object, headers?: Record<string, string>): Promise<Published>;
  /** See `metricAt`. */
  metric(name: string, headers?: Record<string, string>): Promise<number>;
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
  const post: TestGateway['post'] = (path, body, headers = {}) =>
    fetch(url + path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
  return {
    ...server,
    url,
    wsUrl: `ws://127.0.0.1:${server.port}/ws`,
    post,
    async publish(what, headers) {
      const path = Array.isArray(what) ? '/api/publish/batch' : '/api/publish';
      const answer = await post(path, JSON.stringify(what), headers);
      if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
      return (await answer.json()) as Published;
    },
    metric: (name, headers) => metricAt(url, name, headers),
  };
}
