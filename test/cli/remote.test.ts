import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { describe, expect, test } from 'vitest';
import type { CliDeps } from '../../src/cli/deps.ts';
import { readRunFile, removeRunFile, writeRunFile } from '../../src/cli/run-file.ts';
import { startGateway } from '../support/gateway.ts';
import { newFolder } from '../support/temporary.ts';
import { fakeGateway, run } from './world.ts';

const folder = newFolder();

let files = 0;
const path = (): string => join(folder, `file-${++files}`);
function fileOf(text: string): string {
  const file = path();
  writeFileSync(file, text);
  return file;
}

const apiKey = 'k'.repeat(20);
const tokenSecret = 's3cr3t-'.repeat(6);

/** What a command asks for, and where. */
async function asked(args: readonly string[], env: CliDeps['env'] = {}) {
  const requests: { url: string; authorization: string | null }[] = [];
  const result = await run(args, {
    env,
    fetch: async (url, init) => {
      requests.push({ url: String(url), authorization: new Headers(init?.headers).get('authorization') });
      return new Response('{}');
    },
  });
  return { ...result, requests, urls: requests.map(({ url }) => new URL(url).origin) };
}

const publish = ['publish', 'stats', '1'];
const health = ['health'];

describe.each([
  ['publish', publish, '/api/publish'],
  ['health', health, '/healthz'],
])('%s finds the gateway', (_, command, route) => {
  test.each([
    [{}, 'http://127.0.0.1:8080'],
    [{ SLUICE_PORT: '9000' }, 'http://127.0.0.1:9000'],
    [{ SLUICE_HOST: '0.0.0.0', SLUICE_PORT: '9000' }, 'http://127.0.0.1:9000'],
    [{ SLUICE_HOST: '::' }, 'http://[::1]:8080'],
    [{ SLUICE_HOST: '0:0:0:0:0:0:0:0' }, 'http://[::1]:8080'],
    [{ SLUICE_HOST: '::1' }, 'http://[::1]:8080'],
    [{ SLUICE_HOST: '10.1.2.3' }, 'http://10.1.2.3:8080'],
    [{ SLUICE_HOST: 'gateway.example' }, 'http://gateway.example:8080'],
    [{ SLUICE_PORT: 'tcp://10.0.0.1:8080' }, 'http://127.0.0.1:8080'],
    [{ SLUICE_CONFIG: fileOf('port: 9001\nhost: "::"\n') }, 'http://[::1]:9001'],
    [{ SLUICE_CONFIG: fileOf('port: 9001\n'), SLUICE_PORT: '9002' }, 'http://127.0.0.1:9002'],
    [{ SLUICE_RUN_FILE: join(folder, 'none'), SLUICE_PORT: '9000' }, 'http://127.0.0.1:9000'],
    [{ SLUICE_RUN_FILE: fileOf('{"pid":1,"host":"0.0.0.0","port":9003}') }, 'http://127.0.0.1:9003'],
    [{ SLUICE_RUN_FILE: fileOf('{"pid":1,"host":"::","port":9003}'), SLUICE_PORT: '1' }, 'http://[::1]:9003'],
    [{ SLUICE_RUN_FILE: fileOf('{"port":9003}'), SLUICE_PORT: '9000' }, 'http://127.0.0.1:9000'],
    [{ SLUICE_RUN_FILE: fileOf('no JSON'), SLUICE_PORT: '9000' }, 'http://127.0.0.1:9000'],
  ])('of %j', async (env, url) => {
    const { exitCode, requests } = await asked(command, env);
    expect([exitCode, requests.map((request) => request.url)]).toEqual([0, [url + route]]);
  });

  test('of the file that a flag names, and at the URL that a flag names before all', async () => {
    const env = { SLUICE_CONFIG: fileOf('port: 1'), SLUICE_HOST: '10.1.2.3' };
    const file = fileOf('port: 9001');
    expect((await asked([...command, '--config', file], env)).urls).toEqual(['http://10.1.2.3:9001']);
    const url = 'http://push.example:7';
    expect((await asked([...command, '--config', file, '--url', `${url}/`], env)).urls).toEqual([url]);
  });

  test('ignores faults that only a gateway can have', async () => {
    const env = { SLUICE_HOST: '0.0.0.0', SLUICE_VIEWS_MAX: 'many', SLUICE_URL: 'x', SLUICE_PORT: '9000' };
    expect((await asked(command, env)).urls).toEqual(['http://127.0.0.1:9000']);
  });

  test.each([
    [{ SLUICE_PROT: '9000' }, 'SLUICE_PROT: is no option, did you mean SLUICE_PORT?'],
    [{ SLUICE_PORT: 'many' }, 'SLUICE_PORT: must be a whole number'],
    [{ SLUICE_CONFIG: fileOf('prot: 9000') }, 'is no option, did you mean port?'],
    [{ SLUICE_CONFIG: join(folder, 'none.yaml') }, 'cannot be read'],
    [{ SLUICE_PORT: '0' }, 'Port 0 is any free port'],
  ])('or says what is wrong with %j', async (env, fault) => {
    const { exitCode, complaints, requests } = await asked(command, env);
    expect([exitCode, requests]).toEqual([2, []]);
    expect(complaints).toContain(fault);
  });

  test('says where no gateway responds', async () => {
    const refused: typeof fetch = () => Promise.reject(new TypeError('fetch failed'));
    const result = await run(command, { fetch: refused, env: { SLUICE_PORT: '9000' } });
    expect(result).toMatchObject({
      exitCode: 1,
      complaints: 'No gateway responds at http://127.0.0.1:9000.\n',
    });
  });
});

describe('publish brings the credential', () => {
  test.each([
    [[], { SLUICE_API_KEYS: `${apiKey}, ${'o'.repeat(20)}` }, `Bearer ${apiKey}`],
    [[], { SLUICE_CONFIG: fileOf(`apiKeys: [${apiKey}]`) }, `Bearer ${apiKey}`],
    [[], { SLUICE_API_KEYS: apiKey, SLUICE_TOKEN_SECRET: tokenSecret }, `Bearer ${apiKey}`],
    [['--api-key', 'flag'], { SLUICE_API_KEYS: apiKey }, 'Bearer flag'],
    [['--token', 'a.b.c'], { SLUICE_API_KEYS: apiKey }, 'Bearer a.b.c'],
    [[], {}, null],
  ])('of %j and %j', async (flags, env, authorization) => {
    const { requests } = await asked([...publish, ...flags], env);
    expect(requests.map((request) => request.authorization)).toEqual([authorization]);
  });

  test('that it mints for this topic only, where there is a secret and no key', async () => {
    const { requests } = await asked(publish, { SLUICE_TOKEN_SECRET: tokenSecret });
    const { topics, exp = 0, iat = 0, sub } = decodeJwt(requests[0]?.authorization?.slice(7) ?? '');
    expect({ topics, seconds: exp - iat, sub }).toEqual({
      topics: [{ pattern: 'stats', allow: ['publish'] }],
      seconds: 60,
      sub: undefined,
    });
  });

  test.each([{ SLUICE_API_KEYS: apiKey }, { SLUICE_TOKEN_SECRET: tokenSecret }])(
    'of %j, which a gateway that has it accepts, as it does not accept none',
    async (env) => {
      const gateway = await startGateway({ apiKeys: [apiKey], tokenSecret });
      try {
        const SLUICE_PORT = `${gateway.port}`;
        expect(await run(publish, { env: { ...env, SLUICE_PORT } })).toMatchObject({
          exitCode: 0,
          complaints: '',
        });
        expect((await run(publish, { env: { SLUICE_PORT } })).complaints).toContain('answered 401');
      } finally {
        await gateway.close();
      }
    },
  );
});

describe('health', () => {
  test('says where the gateway is alive', async () => {
    const { url } = await fakeGateway(200, '{}');
    const result = await run(['health', '--url', url]);
    expect(result).toMatchObject({ exitCode: 0, out: `${url} is alive.\n`, complaints: '' });
  });

  test('fails when the response is a failure', async () => {
    const { url } = await fakeGateway(503, 'draining');
    const result = await run(['health', '--url', url]);
    expect(result).toMatchObject({ exitCode: 1, complaints: `${url}/healthz answered 503: draining\n` });
  });

  test('takes the flags that the gateway was given', async () => {
    expect((await asked(['health', '--host', '::', '--port', '9'])).urls).toEqual(['http://[::1]:9']);
    const runFile = fileOf('{"pid":1,"host":"0.0.0.0","port":10}');
    expect((await asked(['health', '--port', '9', '--run-file', runFile])).urls).toEqual([
      'http://127.0.0.1:10',
    ]);
  });
});

describe('token', () => {
  test('needs a secret and nothing else of the configuration', async () => {
    const env = { SLUICE_HOST: '0.0.0.0', SLUICE_PORT: 'many' };
    expect((await run(['token'], { env })).complaints).toContain('A secret to sign with is missing');
    expect(await run(['token'], { env: { ...env, SLUICE_TOKEN_SECRET: tokenSecret } })).toMatchObject({
      exitCode: 0,
      complaints: '',
    });
  });
});

describe('the run file', () => {
  const ends = { reload: async () => undefined, close: async () => undefined };
  const server = { host: '0.0.0.0', port: 4711, ...ends };

  test('says where the gateway listens while it runs, and is gone afterwards', async () => {
    const runFile = path();
    let during: unknown;
    const result = await run(['--run-file', runFile], {
      startServer: async () => {
        expect(existsSync(runFile)).toBe(false);
        const close = async () => {
          during = readRunFile(runFile);
        };
        return { ...server, close };
      },
      untilStopped: () => new Promise((resolve) => setImmediate(resolve, 'SIGTERM')),
    });
    expect(result).toMatchObject({ exitCode: 0, complaints: '' });
    expect(during).toEqual({ pid: process.pid, host: '0.0.0.0', port: 4711 });
    expect(readdirSync(folder).filter((name) => join(folder, name).startsWith(runFile))).toEqual([]);
  });

  test('that can’t be written is a warning', async () => {
    const runFile = join(folder, 'none', 'run.json');
    const { exitCode, logged } = await run(['--run-file', runFile], {
      startServer: async () => server,
      untilStopped: () => new Promise((resolve) => setImmediate(resolve, 'SIGTERM')),
    });
    expect(exitCode).toBe(0);
    expect(logged.join()).toContain('the run file cannot be written');
    expect(logged.join()).toContain('Sluice is ready');
  });

  test('of another gateway is left alone', () => {
    const runFile = path();
    writeRunFile(runFile, { pid: 1, host: '::', port: 1 });
    removeRunFile(runFile, { pid: 2, host: '::', port: 2 });
    expect(readRunFile(runFile)).toEqual({ pid: 1, host: '::', port: 1 });
    removeRunFile(runFile, { pid: 1, host: '::', port: 1 });
    expect(existsSync(runFile)).toBe(false);
  });
});

describe('key', () => {
  test('makes a key that the gateway knows by its SHA-256, and by the name that logs and metrics show', async () => {
    const { out: printed, exitCode } = await run(['key', '--name', 'backend']);
    expect(exitCode).toBe(0);
    const [, key = '', stored = ''] = /(slk_\S{32})[\s\S]*?(backend=sha256:[0-9a-f]{64})/.exec(printed) ?? [];
    const gateway = await startGateway({ apiKeys: [stored] });
    try {
      const ask = (presented: string) =>
        fetch(`${gateway.url}/api/stats`, { headers: { 'x-api-key': presented } }).then(
          ({ status }) => status,
        );
      expect([await ask(key), await ask(stored), await ask(`${key}x`)]).toEqual([200, 401, 401]);
      const metrics = await fetch(`${gateway.url}/metrics`, { headers: { 'x-api-key': key } });
      expect(await metrics.text()).toContain('sluice_api_key_uses_total{api_key="backend"} 2');
    } finally {
      await gateway.close();
    }
  });

  test.each(['', 'a b', 'x'.repeat(65), 'ü'])('is not called %j', async (name) => {
    expect(await run(['key', '--name', name])).toMatchObject({ exitCode: 2 });
  });
});
