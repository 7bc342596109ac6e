import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { jwtVerify } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { CliDeps } from '../src/cli/deps.ts';
import type { Config } from '../src/config.ts';
import { chunks, fakeGateway, run } from './cli/world.ts';
import { commandLine } from './support/command-line.ts';

const tokenSecret = 's3cr3t-'.repeat(6);

describe('serve', () => {
  /** A server that notes what happens to it. */
  function fakeServer(host = '127.0.0.1') {
    const events: string[] = [];
    const configs: Config[] = [];
    let tell = (): void => undefined;
    const started = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const startServer: CliDeps['startServer'] = async (config) => {
      configs.push(config);
      events.push('started');
      tell();
      return {
        host,
        port: 4711,
        reload: async () => undefined,
        close: async () => {
          events.push('closed');
        },
      };
    };
    return { startServer, events, configs, started };
  }

  test('runs when no command is named, and drains when asked to end', async () => {
    const server = fakeServer();
    const result = await run(['--port', '0', '--origin', 'https://a.example', '--origin', '*'], {
      startServer: server.startServer,
      env: { SLUICE_VIEWS_MAX: '7' },
      untilStopped: async () => {
        await server.started;
        server.events.push('signalled');
        return 'SIGTERM';
      },
    });
    expect(result).toMatchObject({ exitCode: 0, out: '', complaints: '' });
    expect(server.events).toEqual(['started', 'signalled', 'closed']);
    expect(server.configs[0]).toMatchObject({ port: 0, viewsMax: 7, origins: ['https://a.example', '*'] });
    expect(result.logged[0]).toContain('"url":"http://127.0.0.1:4711"');
  });

  test.each([[['strat']], [['serve', 'now']], [['--port', '0', 'publsh', 'topic']]])(
    '%j names no command',
    async (args) => {
      const { startServer, events } = fakeServer();
      const result = await run(args, { startServer });
      expect(result).toMatchObject({ exitCode: 2, out: '' });
      expect(result.complaints).toMatch(
        /^error: unknown command '(strat'\.|now'\.|publsh', did you mean publish\?) There are: serve, publish, /,
      );
      expect(events).toEqual([]);
    },
  );

  test('tells a person where it is in a line of its own', async () => {
    const { startServer } = fakeServer('::1');
    const result = await run(['serve', '--log-level', 'silent'], { startServer, isTerminal: true });
    expect(result.out).toBe('Sluice is ready: http://[::1]:4711 (Ctrl-C ends it)\n');
  });

  test('lets a flag overrule a variable in both directions', async () => {
    const server = fakeServer();
    const { startServer } = server;
    await run(['--no-source-host'], { startServer, env: { SLUICE_SOURCE_HOST: 'true' } });
    await run(['--source-host'], { startServer, env: { SLUICE_SOURCE_HOST: 'false' } });
    await run([], { startServer, env: { SLUICE_SOURCE_HOST: 'true' } });
    expect(server.configs.map(({ sourceHost }) => sourceHost)).toEqual([false, true, true]);
  });

  test('reports all faults together and starts nothing', async () => {
    const server = fakeServer();
    const result = await run(['--port', 'x', '--views-max', '0'], { startServer: server.startServer });
    expect(result.exitCode).toBe(2);
    expect(result.complaints).toContain('--port: must be');
    expect(result.complaints).toContain('--views-max: must be');
    expect(server.events).toEqual([]);
  });

  test('ends with 0 when it is stopped while it starts, and says so', async () => {
    const startServer: CliDeps['startServer'] = (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const result = await run([], { startServer });
    expect(result).toMatchObject({ exitCode: 0, complaints: '' });
    expect(result.logged.join()).toContain('stopped before it was ready');
    expect(result.logged.join()).not.toContain('Sluice is ready');
  });

  test('ends with 1 when the start fails for a reason of its own, stopped or not', async () => {
    const startServer: CliDeps['startServer'] = (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('disk'))));
    expect(await run([], { startServer })).toMatchObject({
      exitCode: 1,
      complaints: "The gateway can't start: disk\n",
    });
  });
});

describe('publish', () => {
  test('sends the data byte for byte, in the envelope that was asked for', async () => {
    const { url, received } = await fakeGateway(200, '{"epoch":"e","offset":1}');
    const data = '{"load": 1.0,\n "big":12345678901234567890}';
    const flags = [
      '--type',
      'stats_update',
      '--key',
      'k',
      '--tag',
      'a=b=c',
      '--tag',
      'd=',
      '--message-id',
      'm',
    ];
    const result = await run(['publish', 'stats', data, '--url', `${url}/`, ...flags]);
    expect(result).toEqual({ exitCode: 0, out: '{"epoch":"e","offset":1}\n', complaints: '', logged: [] });
    expect(received[0]).toMatchObject({ method: 'POST', url: '/api/publish' });
    expect(received[0]?.headers['content-type']).toBe('application/json');
    expect(received[0]?.headers.authorization).toBeUndefined();
    expect(received[0]?.body).toBe(
      `{"topic":"stats","type":"stats_update","key":"k","tags":{"a":"b=c","d":""},"messageId":"m","data":${data}}`,
    );
  });

  test('reads the data from standard input', async () => {
    const { url, received } = await fakeGateway(200, '{}');
    await run(['publish', 'stats', '-', '--url', url], { stdin: chunks('[1,', '"ü"]') });
    expect(received[0]?.body).toBe('{"topic":"stats","type":"update","data":[1,"ü"]}');
  });

  test('sends no data where there is none', async () => {
    const { url, received } = await fakeGateway(200, '{}');
    await run(['publish', 'stats', '--url', url]);
    expect(received[0]?.body).toBe('{"topic":"stats","type":"update"}');
  });

  test.each(['hello', '1,"except":"x"', '{} {}', ''])('refuses %j, which is no JSON value', async (data) => {
    const { url, received } = await fakeGateway(200, '{}');
    const result = await run(['publish', 'stats', data, '--url', url]);
    expect(result.exitCode).toBe(2);
    expect(result.complaints).toContain('must be JSON');
    expect(received).toEqual([]);
  });

  test('passes on what the gateway refuses', async () => {
    const { url } = await fakeGateway(403, '{"error":{"code":"forbidden"}}');
    const result = await run(['publish', 'stats', '1', '--url', url]);
    expect(result.exitCode).toBe(1);
    expect(result.complaints).toContain('answered 403: {"error":{"code":"forbidden"}}');
  });

  test('refuses a tag without a name', async () => {
    const result = await run(['publish', 'stats', '--tag', '=x']);
    expect(result.exitCode).toBe(2);
    expect(result.complaints).toContain('A tag is NAME=VALUE.');
  });
});

describe('token', () => {
  test('mints what the flags say', async () => {
    const flags = ['--sub', 'alice', '--exp', '2h', '--subscribe', 'server:*', 'stats', '--publish', 'stats'];
    const result = await run(['token', ...flags], { env: { SLUICE_TOKEN_SECRET: tokenSecret } });
    const { payload } = await jwtVerify(result.out.trim(), Buffer.from(tokenSecret), {
      algorithms: ['HS256'],
    });
    expect(payload).toMatchObject({
      sub: 'alice',
      topics: [
        { pattern: 'server:*', allow: ['subscribe'] },
        { pattern: 'stats', allow: ['subscribe', 'publish'] },
      ],
    });
    expect(payload.exp! - payload.iat!).toBe(2 * 60 * 60);
  });

  test.each([
    [['--exp', 'soon'], '--exp must be'],
    [['--subscribe', 'a*b*'], '"a*b*": a pattern has one'],
    [['--publish', 'a b'], '"a b": a topic name is made of'],
    [['--sub', 'x'.repeat(196)], '--sub has no topic of its own: a topic name has at most 200'],
    [['--sub', ''], '--sub must not be empty.'],
  ])('refuses %j', async (flags, complaint) => {
    const result = await run(['token', ...flags], { env: { SLUICE_TOKEN_SECRET: tokenSecret } });
    expect(result).toMatchObject({ exitCode: 2, out: '' });
    expect(result.complaints).toContain(complaint);
  });

  test('names the secret that is missing', async () => {
    const result = await run(['token', '--sub', 'alice']);
    expect(result.exitCode).toBe(2);
    expect(result.complaints).toContain('SLUICE_TOKEN_SECRET');
  });
});

test('an unknown option is told with the one that was probably meant, and never with its value', async () => {
  for (const command of ['serve', 'check-config', 'publish', 'subscribe', 'health', 'token', 'key']) {
    const { out } = await run([command, '--help']);
    const flags = [...out.matchAll(/^ +(--[\w-]+)/gm)].map(([, flag]) => flag as string);
    for (const flag of flags) {
      const misspelt = `${flag}x`;
      const result = await run([command, `${misspelt}=hunter2, ${flag}=hunter2`]);
      expect(result.exitCode).toBe(2);
      expect(result.complaints).toBe(`error: unknown option '${misspelt}=…', did you mean ${flag}?\n`);
    }
  }
});

test.each([
  [['serve', '--max-views=hunter2'], "unknown option '--max-views=…', did you mean --views-max?"],
  [['serve', '--tökn=hunter2'], "unknown option '--tökn=…'\n"],
  [['serve', '--nothing-like-it=hunter2'], "unknown option '--nothing-like-it=…'\n"],
  [['publish', 't', '--apikey=hunter2'], "unknown option '--apikey=…', did you mean --api-key?"],
  [['token-secret=hunter2'], "unknown command 'token-secret=…'"],
  [['serve', '--token-secret=', 'hunter2'], "unknown command '…'"],
  ...[
    '//hunter2',
    'ftp://h',
    'http//u:hunter2@h',
    'http://u:hunter2@h',
    'http://h?hunter2',
    'http://h#hunter2',
  ].flatMap((url) =>
    [['publish', 't'], ['subscribe', 't'], ['health']].map((command): [string[], string] => [
      [...command, '--url', url],
      '--url must be an http or https URL without user',
    ]),
  ),
  [['serve', '--canary=hunter2'], "option '--canary' takes no value; --no-canary turns it off"],
  [['serve', '--canary', 'false'], '--no-canary turns it off'],
])('%j is told without its value', async (args, complaint) => {
  const result = await run(args);
  expect(result).toMatchObject({ exitCode: 2, out: '' });
  expect(result.complaints).toContain(complaint);
  expect(result.complaints).not.toContain('hunter2');
});

describe('check-config', () => {
  test('prints the resolved options without secrets', async () => {
    const result = await run(['check-config', '--port', '9000', '--token-secret', tokenSecret]);
    expect(result.exitCode).toBe(0);
    expect(result.out).toContain('port: 9000\n');
    expect(result.out).toContain('topicHistoryMaxBytes: 1MiB\n');
    expect(result.out).not.toContain(tokenSecret);
  });
});

describe('the program', () => {
  test('explains itself, every option included', async () => {
    expect((await run(['--help'])).out).toContain('check-config');
    const help = await run(['serve', '--help']);
    expect(help).toMatchObject({ exitCode: 0, complaints: '' });
    expect(help.out).toContain('--connections-max-per-ip <N>');
    expect(help.out).toContain('env: SLUICE_CONNECTIONS_MAX_PER_IP');
    expect(help.out).not.toContain('--no-source-host');
    expect(help.out.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  test.each([[['--colour']], [['publish']], [['frobnicate']]])('refuses %j with 2', async (args) => {
    const result = await run(args);
    expect(result.exitCode).toBe(2);
    expect(result.complaints).toContain('error:');
  });

  /** The command line as a process of its own. */
  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [...commandLine(), ...args], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return { child, complaints: text(child.stderr), exit: once(child, 'exit') };
  }

  test('runs as a process, whose exit code says what came of it', async () => {
    const { complaints, exit } = start(['check-config'], { SLUICE_HOST: '0.0.0.0' });
    expect((await exit)[0]).toBe(2);
    expect(await complaints).toContain('SLUICE_API_KEYS');
  });

  test('starts a gateway, publishes through it, tells a second one that the port is taken, and drains', async () => {
    const gateway = start(['serve', '--port', '0']);
    const url = await urlOf(gateway.child.stdout);
    const published = await run(['publish', 'stats', '{"load":1.0}', '--url', url, '--message-id', 'm']);
    expect(published).toMatchObject({ exitCode: 0, complaints: '' });
    expect(JSON.parse(published.out)).toMatchObject({ offset: 1, epoch: expect.any(String) });

    const second = start(['--port', new URL(url).port]);
    expect((await second.exit)[0]).toBe(1);
    expect(await second.complaints).toContain('is taken');

    gateway.child.kill('SIGTERM');
    expect(await gateway.exit).toEqual([0, null]);
    expect(await gateway.complaints).toBe('');
  });
});

/** From the line of the log that says that the gateway is ready. */
async function urlOf(stdout: Readable): Promise<string> {
  for await (const line of createInterface({ input: stdout })) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url !== undefined) return url;
  }
  throw new Error('it ended before it was ready');
}
