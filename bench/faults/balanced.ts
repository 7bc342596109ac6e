import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastingPort } from '../../test/support/gateway-process.ts';
import { ProxyProcess } from '../../test/support/proxy-process.ts';
import { startRedis } from '../../test/support/redis-server.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

/** Gateways of one Redis behind HAProxy. */
export interface Balanced {
  /** Of HAProxy. */
  readonly port: number;
  /** SIGTERM, and a new one once that has ended. Returns how long the drain took. */
  restart(node: number): Promise<number>;
  end(): Promise<void>;
}

const page = new URL('../../src/transport/uws/BALANCERS.md', import.meta.url);

/** What the page says, for these gateways. Without the header that tells of a proxy: a credential would be needed. */
function haproxyLines(port: number, ports: readonly number[]): string {
  const [, lines = ''] = /```haproxy\n(.*?)```/s.exec(readFileSync(page, 'utf8')) ?? [];
  const servers = ports.map((each, i) => `  server node${i} 127.0.0.1:${each}`).join('\n');
  return lines
    .replace('bind :80', `bind 127.0.0.1:${port}`)
    .replace(/ {2}option forwardfor\n| {2}http-request set-header .*\n/g, '')
    .replace(/( {2}server .*\n?)+/, `${servers}\n`);
}

export async function startBalanced(nodes: number, flags: readonly string[]): Promise<Balanced> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-balanced-'));
  const redis = await startRedis();
  const all = ['--engine=redis', `--redis=${redis.url}`, ...flags];
  const gateways: Gateway[] = [];
  for (let i = 0; i < nodes; i++) gateways.push(await startGateway(all, undefined, 'all'));
  const ports = gateways.map((gateway) => gateway.port);
  const port = await lastingPort();
  const proxy = await ProxyProcess.haproxy(folder, haproxyLines(port, ports), [port]);
  return {
    port,
    restart: async (node) => {
      const startMs = performance.now();
      await gateways[node]?.end();
      const drainMs = performance.now() - startMs;
      gateways[node] = await startGateway(all, ports[node], 'all');
      return drainMs;
    },
    end: async () => {
      await proxy.end();
      await Promise.all(gateways.map((gateway) => gateway.end()));
      await redis.remove();
      rmSync(folder, { recursive: true });
    },
  };
}
