import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePort, listen, reservePort } from '../../../src/transport/uws/listen.ts';
import { type App, loadUws } from '../../../src/transport/uws/load.ts';
import { startGateway } from '../../support/gateway.ts';
import { lastingPort } from '../../support/gateway-process.ts';

describe('a gateway that can’t listen says why', () => {
  // 192.0.2.1 is for documentation, .invalid for names that don't exist (RFC 5737, RFC 6761).
  it.each([
    ['192.0.2.1', /^EADDRNOTAVAIL$/],
    ['2001:db8::1', /^(EADDRNOTAVAIL|EAFNOSUPPORT)$/],
    // The second where there is no name server that could know.
    ['nosuchhost.invalid', /^(ENOTFOUND|EAI_AGAIN)$/],
  ])('on %s', async (host, code) => {
    await expect(startGateway({ host, apiKeys: ['k'.repeat(20)] })).rejects.toMatchObject({
      name: 'ListenError',
      syscall: 'listen',
      code: expect.stringMatching(code),
    });
  });
});

describe('the port of a gateway', () => {
  it('is its own: a second gateway is refused, and the first goes on', async () => {
    const first = await startGateway({ port: await lastingPort() });
    try {
      await expect(startGateway({ port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
      for (let i = 0; i < 8; i++) expect((await fetch(`${first.url}/healthz`)).status).toBe(200);
    } finally {
      await first.close();
    }
  });

  it('can be taken again as soon as the gateway has ended, also with connections that it ended itself', async () => {
    const port = await lastingPort();
    for (let i = 0; i < 3; i++) {
      const gateway = await startGateway({ port });
      expect(await statusOverKeptConnection(`${gateway.url}/healthz`)).toBe(200);
      await gateway.close();
    }
  });
});

const host = '127.0.0.1';
const uws = loadUws();

describe('a port that the system chooses for several processes', () => {
  it('is another one where a process was faster', async () => {
    const { app, taken } = lateApp(2);
    const { port, stop } = await listen(uws, app, host, 0, true);
    expect(taken).toHaveLength(2);
    for (const server of taken) {
      expect(port).not.toBe(portOf(server));
      server.close();
    }
    stop();
  });

  it('is given up after ten of them; and one that was asked for at once', async () => {
    for (const [port, tries] of [
      [0, 10],
      [await lastingPort(), 1],
    ] as const) {
      const { app, taken } = lateApp(tries);
      await expect(listen(uws, app, host, port, true)).rejects.toMatchObject({ code: 'EADDRINUSE' });
      expect(taken).toHaveLength(tries);
      for (const server of taken) server.close();
    }
  });

  it('is held until they listen: others are refused, and connections are closed', async () => {
    const held = await reservePort(loadUws, host, 0);
    await expect(freePort(host, held.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const early = connect(held.port, host);
    await once(early, 'connect');
    const worker = await listen(uws, uws.App(), host, held.port, true);
    const ended = once(early, 'close');
    held.stop();
    await ended;
    await expect(freePort(host, held.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    worker.stop();
    expect(await freePort(host, held.port)).toBe(held.port);
  });
});

/** Before each of its first attempts to listen, another server takes the port. */
function lateApp(times: number): { app: App; taken: Server[] } {
  const taken: Server[] = [];
  const real = uws.App() as unknown as Listener;
  const late = (at: string, port: number, options: number, then: (socket: unknown) => void) => {
    if (taken.length === times) return real.listen(at, port, options, then);
    const server = createServer();
    taken.push(server);
    server.listen(port, at, () => real.listen(at, port, options, then));
  };
  return { app: { listen: late } as unknown as App, taken };
}

interface Listener {
  listen(host: string, port: number, options: number, then: (socket: unknown) => void): void;
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

/** Leaves a connection of its own open: `fetch` might take one that has just ended for another request. */
function statusOverKeptConnection(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: new Agent({ keepAlive: true }) }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
  });
}
