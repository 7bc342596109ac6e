import { Agent, get } from 'node:http';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startGateway } from '../../support/gateway.ts';

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

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
    const first = await startGateway({ port: await freePort() });
    try {
      await expect(startGateway({ port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
      for (let i = 0; i < 8; i++) expect((await fetch(`${first.url}/healthz`)).status).toBe(200);
    } finally {
      await first.close();
    }
  });

  it('can be taken again as soon as the gateway has ended, also with connections that it ended itself', async () => {
    const port = await freePort();
    for (let i = 0; i < 3; i++) {
      const gateway = await startGateway({ port });
      expect(await statusOverKeptConnection(`${gateway.url}/healthz`)).toBe(200);
      await gateway.close();
    }
  });
});

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
