import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { runCli } from '../../src/cli/commands.ts';
import type { CliDeps } from '../../src/cli/deps.ts';

export async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

/** Runs a command line in a world of its own. */
export async function run(args: readonly string[], world: Partial<CliDeps> = {}) {
  const out: string[] = [];
  const complaints: string[] = [];
  const logged: string[] = [];
  const exitCode = await runCli(args, {
    env: {},
    stdin: chunks(),
    print: (line) => out.push(line),
    complain: (line) => complaints.push(line),
    isTerminal: false,
    fetch,
    logTo: { write: (line) => logged.push(line) },
    startServer: async () => {
      throw new Error('not in this test');
    },
    startParent: async () => {
      throw new Error('not in this test');
    },
    untilStopped: async () => 'SIGTERM',
    untilUnread: () => new Promise(() => undefined),
    onReload: () => undefined,
    ...world,
  });
  return { exitCode, out: out.join(''), complaints: complaints.join(''), logged };
}

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A gateway that gives one answer to all requests, and what it was sent. */
export async function fakeGateway(status: number, answer: string) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    received.push({ method, url, headers, body: await text(request) });
    response.writeHead(status).end(answer);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
