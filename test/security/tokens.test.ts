import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { SseClient } from '../support/sse-client.ts';
import { newFile } from '../support/temporary.ts';
import { apiKey } from '../support/tokens.ts';

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

let pair: Pair;
let next: Pair;

beforeAll(async () => {
  pair = await generateKeyPair('ES256', { extractable: true });
  next = await generateKeyPair('RS256', { extractable: true });
});

/** A server of keys, as an identity provider has one. Returns its URL. */
async function serveKeys(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
}

async function documentOf(...pairs: Pair[]): Promise<string> {
  const keys = pairs.map(async (each, index) => ({ ...(await exportJWK(each.publicKey)), kid: `k${index}` }));
  return JSON.stringify({ keys: await Promise.all(keys) });
}

const topics = [{ pattern: 'stats', allow: ['subscribe'] }];

function sign(by: Pair, alg: string, claims: Record<string, unknown> = {}, kid = 'k0'): Promise<string> {
  return new SignJWT({ sub: 'alice', topics, ...claims })
    .setProtectedHeader({ alg, kid })
    .sign(by.privateKey);
}

async function status(gateway: TestGateway, token: string): Promise<number> {
  const response = await fetch(`${gateway.url}/api/topics/stats/history`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await response.text();
  return response.status;
}

describe('tokens of an identity provider', () => {
  it('are taken by the keys that it publishes, also after it has replaced them', async () => {
    let document = await documentOf(pair);
    const file = newFile('keys.json', document);
    const gateway = await gatewayOfTest({ tokenKeysFile: file });
    expect(await status(gateway, await sign(pair, 'ES256'))).toBe(200);
    expect(await status(gateway, await sign(next, 'RS256', {}, 'k1'))).toBe(401);
    document = await documentOf(pair, next);
    await writeFile(file, document);
    const replaced = await sign(next, 'RS256', {}, 'k1');
    await expect.poll(() => status(gateway, replaced)).toBe(200);
  });

  it('are taken by new keys of the URL at once after a reload, and open connections stay', async () => {
    let [document, loads] = [await documentOf(pair), 0];
    const url = await serveKeys((_, response) => {
      loads++;
      response.end(document);
    });
    const gateway = await gatewayOfTest({ tokenKeysUrl: url, apiKeys: [apiKey] });
    const before = await sign(pair, 'ES256');
    const client = await opened(JsonClient.open(`${gateway.wsUrl}?token=${before}`));
    await client.call({ type: 'subscribe', topic: 'stats' });
    const path = `/sse?topic=stats&token=${before}`;
    const stream = await opened(SseClient.open({ port: gateway.port, path }));
    await stream.until(() => stream.of('subscribed').length > 0);
    // The same name for another key: the old one is gone.
    document = await documentOf(next);
    expect(await status(gateway, await sign(pair, 'ES256', { jti: 'before' }))).toBe(200);
    expect(await gateway.reload()).toBeUndefined();
    const after = await sign(next, 'RS256');
    await expect.poll(() => status(gateway, after)).toBe(200);
    expect([
      await status(gateway, before),
      await status(gateway, await sign(pair, 'ES256', { jti: 'x' })),
    ]).toEqual([401, 401]);
    const loadsBefore = loads;
    const unknown = Array.from({ length: 100 }, async (_, i) =>
      status(gateway, await sign(next, 'RS256', {}, `u${i}`)),
    );
    expect(new Set(await Promise.all(unknown))).toEqual(new Set([401]));
    expect(loads - loadsBefore).toBeLessThanOrEqual(3);
    expect(await client.call({ type: 'refresh', token: before })).toMatchObject({ code: 'unauthorized' });
    expect(await client.call({ type: 'refresh', token: after })).toMatchObject({ type: 'refreshed' });
    await gateway.post('/api/publish', '{"topic":"stats","data":1}', { 'x-api-key': apiKey });
    expect(await client.count('stats', 1)).toHaveLength(1);
    await stream.until(() => stream.publications.length === 1);
  });

  it('are verified in a later turn, and none of 250 clients that come at once is lost', async () => {
    const document = await documentOf(pair);
    const keys = await serveKeys((_, response) => response.end(document));
    const places = { connectionsMaxPerIp: 500, handshakesPerSecondPerIp: 500, connectionsMaxPerUser: 500 };
    const gateway = await gatewayOfTest({ tokenKeysUrl: keys, ...places });
    const tokens = await Promise.all(
      Array.from({ length: 250 }, (_, i) => sign(pair, 'ES256', { jti: `${i}` })),
    );
    const clients = await Promise.all(
      tokens.map((token) => JsonClient.open(`${gateway.wsUrl}?token=${token}`)),
    );
    const answers = await Promise.all(clients.map((client) => client.call({ type: 'ping' })));
    expect(answers.filter(({ type }) => type === 'pong')).toHaveLength(250);
  });

  it('are taken by a key in PEM', async () => {
    const file = newFile('key.pem', await exportSPKI(pair.publicKey));
    const gateway = await gatewayOfTest({ tokenKeysFile: file });
    expect(await status(gateway, await sign(pair, 'ES256'))).toBe(200);
  });

  it('are taken by keys after a byte order mark, from a file and from a server', async () => {
    const document = `\ufeff${await documentOf(pair)}`;
    const file = newFile('keys.json', document);
    const url = await serveKeys((_, response) => response.end(document));
    for (const source of [{ tokenKeysFile: file }, { tokenKeysUrl: url }])
      expect(await status(await gatewayOfTest(source), await sign(pair, 'ES256'))).toBe(200);
  });

  it('are compared with the issuer and audience that are configured', async () => {
    const document = await documentOf(pair);
    const url = await serveKeys((_, response) => response.end(document));
    const gateway = await gatewayOfTest({
      tokenKeysUrl: url,
      tokenIssuer: 'https://id.example',
      tokenAudience: ['push'],
    });
    const good = { iss: 'https://id.example', aud: ['web', 'push'] };
    expect(await status(gateway, await sign(pair, 'ES256', good))).toBe(200);
    for (const claims of [
      {},
      { ...good, iss: 'https://evil.example' },
      { ...good, aud: 'web' },
      { aud: 'push' },
    ]) {
      expect(await status(gateway, await sign(pair, 'ES256', claims))).toBe(401);
    }
  });

  it('of an algorithm that is not listed are refused', async () => {
    const document = await documentOf(pair, next);
    const url = await serveKeys((_, response) => response.end(document));
    const gateway = await gatewayOfTest({ tokenKeysUrl: url, tokenAlgorithms: ['RS256'] });
    expect(await status(gateway, await sign(next, 'RS256', {}, 'k1'))).toBe(200);
    expect(await status(gateway, await sign(pair, 'ES256'))).toBe(401);
  });
});

describe('a server of keys', () => {
  it.each<[string, RequestListener]>([
    [
      'that returns 100 MB',
      (_, response) => {
        const chunk = Buffer.alloc(65_536, 'x');
        const write = (): void => {
          while (!response.destroyed && response.write(chunk));
          response.once('drain', write);
        };
        write();
      },
    ],
    ['that redirects', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    ['that returns a page', (_, response) => response.end('<html></html>')],
    ['that returns a secret', (_, response) => response.end('{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')],
    ['that fails', (_, response) => response.writeHead(500).end()],
    [
      'that returns 300 MB in 300 kB',
      (_, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(300 * 2 ** 20))),
    ],
    [
      'that returns more codings than anyone uses',
      (_, response) => response.writeHead(200, { 'content-encoding': 'gzip,'.repeat(2000) }).end('x'),
    ],
    [
      'that ends too early',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('{"keys":[');
        response.destroy();
      },
    ],
    ['that returns deep JSON', (_, response) => response.end('['.repeat(120_000))],
    [
      'that returns a key that is none',
      (_, response) => response.end('{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}'),
    ],
    [
      'that returns 10 000 keys',
      (_, response) => {
        const keys = Array.from({ length: 10_000 }, () => ({ kty: 'EC' }));
        response.end(JSON.stringify({ keys }));
      },
    ],
  ])('%s is not believed: tokens are refused for now, and others are served', async (_, listener) => {
    const url = await serveKeys(listener);
    const key = 'an-api-key-of-some-length';
    const gateway = await gatewayOfTest({ tokenKeysUrl: url, apiKeys: [key] });
    expect(await status(gateway, await sign(pair, 'ES256'))).toBe(503);
    expect(await status(gateway, key)).toBe(200);
  });

  it('is the only one that is asked, whatever a token says of its key', async () => {
    let strangers = 0;
    const stranger = await serveKeys((_, response) => {
      strangers++;
      response.end('{"keys":[]}');
    });
    const document = await documentOf(pair);
    const gateway = await gatewayOfTest({
      tokenKeysUrl: await serveKeys((_, response) => response.end(document)),
    });
    const kids = [
      stranger,
      `${stranger}#k1`,
      '../../../etc/passwd',
      '/dev/zero',
      "' OR 1=1 --",
      'k1\0',
      '__proto__',
      '',
    ];
    for (const kid of kids)
      expect([kid, await status(gateway, await sign(next, 'RS256', {}, kid))]).toEqual([kid, 401]);
    expect(strangers).toBe(0);
  });

  it('that hangs delays only tokens of keys that are not known', async () => {
    let hangs = false;
    const document = await documentOf(pair);
    const url = await serveKeys((_, response) => {
      if (!hangs) response.end(document);
    });
    const gateway = await gatewayOfTest({ tokenKeysUrl: url });
    expect(await status(gateway, await sign(pair, 'ES256'))).toBe(200);
    hangs = true;
    const unknown = await sign(next, 'RS256', {}, 'k9');
    const refused = Promise.all(Array.from({ length: 20 }, () => status(gateway, unknown)));
    expect(await status(gateway, await sign(pair, 'ES256', { jti: 'another' }))).toBe(200);
    expect(await refused).toEqual(Array.from({ length: 20 }, () => 401));
  });
});
