import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../../src/api/routes.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { newFolder } from '../support/temporary.ts';

const key = 'a-key-that-may-administer-it-all';
const folder = newFolder();
const socketPath = join(folder, 'gateway.sock');
let gateway: TestGateway;
/** Its session is what the administration would list and end. */
let client: JsonClient;
let session: string;

beforeAll(async () => {
  gateway = await startGateway({
    ...{
      apiKeys: [key],
      anonymous: true,
      adminPort: 0,
      unixSocket: socketPath,
      compat: ['a', 'b', 'c', 'd', 'e'],
    },
    ...{
      tokenSecret: 'a secret of thirty-two bytes or more',
      httpConnectionsPerSecondPerIp: 100_000,
      httpRequestsPerSecondPerIp: 100_000,
    },
  });
  client = await JsonClient.open(gateway.wsUrl, [], { headers: { 'user-agent': 'victim' } });
  ({ session } = (await client.call({ type: 'status' })) as unknown as { session: string });
});
afterAll(async () => {
  await client.close();
  await gateway.close();
});

const oldRoute = { method: 'POST', path: '/api/v1/websocket/connections/{id}/disconnect' };
const administration = [
  ...routes.filter(({ access }) => access === 'admin' || access === 'metrics'),
  oldRoute,
];
const bodies: Readonly<Record<string, string>> = {
  '/api/tokens/revoke': '{"user":"victim"}',
  '/api/tokens/restore': '{"user":"victim"}',
};

/** What shows that one of these routes was served: metrics, sessions and revocations. */
function isServed(answer: string): boolean {
  return /sluice_|"connections"|"revocations"|"revoked"|"disconnected"|HTTP\/1\.1 2/.test(answer);
}

/** Paths that another reader could take for this one. */
const spellings: readonly ((path: string) => string)[] = [
  (path) => path,
  (path) => `/${path}`,
  (path) => `${path}/`,
  (path) => `${path}//`,
  (path) => `${path}?`,
  (path) => `${path}#x`,
  (path) => `${path};x=1`,
  (path) => `${path}%00`,
  (path) => `${path}%20`,
  (path) => `${path}%2f`,
  (path) => `/healthz/..${path}`,
  (path) => `/healthz/%2e%2e${path}`,
  (path) => `/.${path}`,
  (path) => `/api/stats/..;${path}`,
  (path) => path.replace(/[a-z]$/, (last) => `%${last.charCodeAt(0).toString(16)}`),
  (path) => path.replaceAll('/', '%2F'),
  (path) => path.replaceAll('/', '\\'),
  (path) => path.toUpperCase(),
  (path) => `http://127.0.0.1${path}`,
  (path) => `HTTP://admin${path}`,
  (path) => `//127.0.0.1${path}`,
  (path) => path.slice(1),
  (path) => `*${path}`,
];

/** The methods that these routes have, and others that could be taken for them. */
const methods = (own: string) =>
  new Set([own, 'GET', 'HEAD', 'POST', 'OPTIONS', 'get', 'CONNECT', 'TRACE', 'X']);

function requestOf(method: string, target: string, path: string, more = ''): string {
  const body = bodies[path] ?? '';
  return (
    `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n${more}` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  );
}

/** All that a connection says to these bytes until it has answered a last request, or is ended. */
async function answers(bytes: string): Promise<string> {
  const raw = await opened(RawSocket.open(gateway.port));
  await raw.send(bytes);
  await Promise.race([raw.end(), raw.until((all) => all.includes('\r\n\r\n'))]);
  return raw.text;
}

describe('the public port, beside an admin port', () => {
  it.each(administration.map((route) => [`${route.method} ${route.path}`, route] as const))(
    'has no %s, by any spelling and method',
    async (_, { method, path }) => {
      const real = path.replace('{id}', session);
      expect(await answers(requestOf(method, real, path))).toContain('HTTP/1.1 404');
      for (const spelling of spellings)
        for (const each of methods(method)) {
          const target = spelling(real);
          const answer = await answers(requestOf(each, target, path));
          // A preflight is told what any path would be told.
          const isTold = each !== 'OPTIONS' && isServed(answer);
          expect([each, target, isTold, answer.includes('sluice_')]).toEqual([each, target, false, false]);
        }
      expect((await client.call({ type: 'ping' })).type).toBe('pong');
    },
    60_000,
  );

  it('has none after another request, in its body, or by headers that name another path', async () => {
    for (const { method, path } of administration) {
      const real = path.replace('{id}', session);
      const hidden = requestOf(method, real, path);
      const headers = [
        `X-Original-URL: ${real}\r\nX-Rewrite-URL: ${real}\r\nX-Forwarded-Path: ${real}\r\n`,
        `X-HTTP-Method-Override: ${method}\r\nX-Forwarded-Port: ${gateway.adminPort}\r\n`,
        `Forwarded: for=127.0.0.1;host=127.0.0.1:${gateway.adminPort}\r\nX-Forwarded-Host: 127.0.0.1:${gateway.adminPort}\r\n`,
      ];
      for (const more of headers)
        expect(isServed(await answers(requestOf(method, real, path, more)))).toBe(false);
      const raw = await opened(RawSocket.open(gateway.port));
      await raw.send(
        `GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${hidden}GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n`,
      );
      await raw.until((all) => all.split('HTTP/1.1 404').length === 4);
      expect(isServed(raw.text)).toBe(false);
    }
  });

  it('has none on the unix socket, which is public too', async () => {
    for (const { method, path } of administration) {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const asked = request({ socketPath, path: path.replace('{id}', session), method, headers });
      asked.end(bodies[path] ?? '');
      const answer = await new Promise<string>((resolve, reject) => {
        asked.once('error', reject);
        asked.once('response', async (response) => resolve(`${response.statusCode} ${await text(response)}`));
      });
      expect([path, answer.slice(0, 3), isServed(answer)]).toEqual([path, '404', false]);
    }
  });
});

describe('the admin port', () => {
  const admin = () => `http://127.0.0.1:${gateway.adminPort}`;

  it('lets in who may administer, and no others', async () => {
    for (const { method, path } of administration) {
      const ask = async (headers: Record<string, string>) => {
        const response = await fetch(admin() + path.replace('{id}', 'none'), {
          method,
          headers: { 'content-type': 'application/json', ...headers },
        });
        await response.text();
        return response.status;
      };
      // With `anonymous`, metrics are for all.
      const without = path === '/metrics' ? 200 : 401;
      expect([path, await ask({})]).toEqual([path, without]);
      expect([path, await ask({ authorization: 'Bearer another-key-that-is-none' })]).toEqual([path, 401]);
      const status = await ask({ authorization: `Bearer ${key}` });
      expect([path, status, [200, 400, 404].includes(status)]).toEqual([path, status, true]);
    }
  });

  it('without keys serves this machine only, by its name', async () => {
    const keyless = await startGateway({ adminPort: 0 });
    const raw = await opened(RawSocket.open(keyless.adminPort as number));
    let from = 0;
    const statusOf = async (headers: string) => {
      await raw.send(`GET /api/connections HTTP/1.1\r\n${headers}\r\n`);
      const answer = await raw.answer(from);
      from = answer.end;
      return answer.status;
    };
    expect(await statusOf('Host: 127.0.0.1\r\n')).toBe(200);
    expect(await statusOf('Host: evil.example\r\n')).toBe(403);
    expect(await statusOf('Host: 127.0.0.1\r\nOrigin: https://evil.example\r\n')).toBe(403);
    expect(await statusOf('Host: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\n')).toBe(403);
    await keyless.close();
  });
});
