import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { readRunFile } from '../../src/cli/run-file.ts';
import { startServer } from '../../src/server.ts';
import { commandLine } from '../support/command-line.ts';
import { startGateway } from '../support/gateway.ts';
import { newFolder } from '../support/temporary.ts';
import { run } from './world.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = newFolder();
});

/** In a process group of its own, which is gone when the test has ended. */
function start(command: string, args: readonly string[]) {
  const child = spawn(command, args, {
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  onTestFinished(() => kill(-(child.pid as number), 'SIGKILL'));
  return { child, pid: child.pid as number, complaints: text(child.stderr), exit: once(child, 'exit') };
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

async function ready({ stdout }: ChildProcess): Promise<URL> {
  for await (const line of createInterface({ input: stdout as NodeJS.ReadableStream })) {
    const url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (url !== undefined) return new URL(url);
  }
  throw new Error('it ended before it was ready');
}

async function connect(url: URL): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${url.host}/ws`);
  await once(socket, 'open');
  return socket;
}

const gatewayFlags = ['serve', '--port', '0', '--no-canary'];

describe('`npm start`', () => {
  // As after `npm run build`, which comes before it.
  const npmStart = [
    'start',
    '--silent',
    '--ignore-scripts',
    '--',
    '--port',
    '0',
    '--no-canary',
    '--no-source-host',
  ];

  test.each([
    ['SIGTERM to npm', 'SIGTERM', 1],
    ['SIGINT to npm', 'SIGINT', 1],
    ['SIGTERM to the process group, as supervisors do', 'SIGTERM', -1],
    ['SIGINT to the process group, as Ctrl-C does', 'SIGINT', -1],
  ] as const)('ends in order at %s, and leaves no gateway', async (_, signal, group) => {
    const runFile = join(folder, 'run.json');
    const npm = start('npm', [...npmStart, '--run-file', runFile]);
    const client = await connect(await ready(npm.child));
    const closed = once(client, 'close');
    const gatewayPid = readRunFile(runFile)?.pid as number;
    expect(gatewayPid).not.toBe(npm.pid);

    kill(group * npm.pid, signal);
    expect((await closed)[0]).toBe(4000);
    await npm.exit;
    await expect.poll(() => existsSync(`/proc/${gatewayPid}/cwd`)).toBe(false);
    // It removes the file when it has drained: it was not ended at once by the same signal, passed on by npm.
    expect(existsSync(runFile)).toBe(false);
  });
});

test('a process that started the gateway is told when it is ready, as PM2 expects it', async () => {
  const child = spawn(process.execPath, [...commandLine(), ...gatewayFlags], {
    cwd: root,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const told = once(child, 'message');
  const url = await ready(child);
  expect((await told)[0]).toBe('ready');
  expect((await fetch(new URL('/healthz', url))).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('systemd is told when the gateway is ready, if it wants to know', async () => {
  const told = join(folder, 'told');
  const program = join(folder, 'systemd-notify');
  writeFileSync(program, `#!/bin/sh\necho "$@" "$NOTIFY_SOCKET" > ${told}.new && mv ${told}.new ${told}\n`, {
    mode: 0o755,
  });
  const child = spawn(process.execPath, [...commandLine(), ...gatewayFlags], {
    cwd: root,
    env: { PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: '/run/notify' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const written = watching(folder, 'told');
  await ready(child);
  await written;
  expect(readFileSync(told, 'utf8')).toBe('--ready /run/notify\n');
});

describe('a gateway whose log is not taken', () => {
  /** Serves a client and ends in order, with the redirections of standard output that a shell has. */
  async function serve(redirected: string, flags: readonly string[]) {
    const runFile = join(folder, 'run.json');
    const line = `exec "$@" ${redirected}`;
    const args = [...commandLine(), ...gatewayFlags, '--run-file', runFile, ...flags];
    const written = watching(folder, 'run.json');
    const gateway = start('sh', ['-c', line, 'sh', process.execPath, ...args]);
    await Promise.race([written, gateway.exit]);
    const { port } = readRunFile(runFile) as { port: number };
    for (let i = 0; i < 20; i++) {
      const client = await connect(new URL(`http://127.0.0.1:${port}`));
      client.close();
      await once(client, 'close');
    }
    kill(gateway.pid, 'SIGTERM');
    expect(await gateway.exit).toEqual([0, null]);
    expect(await gateway.complaints).toBe('');
  }

  const formats = [['json'], ['pretty']];

  test.each(formats)('serves and ends in order on a full disk (%s)', (format) =>
    serve('> /dev/full', ['--log-format', format!]),
  );

  test.each(formats)('serves and ends in order when the reader has stopped (%s)', async (format) => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    // Both ends, so that it stays open; non-blocking, so that it can be filled.
    const end = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(end));
    fill(end);
    await serve(`1<> '${pipe}'`, ['--log-format', format!]);
  });
});

function fill(pipe: number): void {
  try {
    for (;;) writeSync(pipe, 'x'.repeat(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'EAGAIN' });
  }
}

/** Resolves when the file is there. */
function watching(folder: string, name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(folder, () => {
      if (existsSync(join(folder, name))) resolve();
    });
    onTestFinished(() => watcher.close());
  });
}

test('with a limit of 128 open files it names that limit, and no file that it could not open', async () => {
  const line = 'ulimit -n 128; exec "$@"';
  const { complaints, exit } = start('sh', [
    '-c',
    line,
    'sh',
    process.execPath,
    ...commandLine(),
    ...gatewayFlags,
  ]);
  expect(await exit).toEqual([1, null]);
  expect(await complaints).toBe(`This process may open 128 files (ulimit -n), and needs at least 256.\n`);
});

describe('the image’s health check', () => {
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
  const variable = (name: string) => new RegExp(`^ENV ${name}=(\\S+)$`, 'm').exec(dockerfile)?.[1] as string;
  const [, json = ''] = /^HEALTHCHECK [^[]*\\\n +CMD (\[.*\])$/m.exec(dockerfile) ?? [];
  const command = JSON.parse(json) as string[];
  const entry = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)?.[1] ?? '') as string[];

  /** As in a container, but for the place of the run file. */
  async function inContainer(args: readonly string[]) {
    const env = {
      SLUICE_HOST: variable('SLUICE_HOST'),
      SLUICE_RUN_FILE: join(folder, variable('SLUICE_RUN_FILE').slice('/tmp/'.length)),
    };
    const child = spawn(process.execPath, [...commandLine(), ...args], {
      cwd: root,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return { child, out: text(child.stderr), exit: once(child, 'exit') };
  }

  const credentials = ['--api-key', 'k'.repeat(20)];

  test('runs beside a gateway whose user Kubernetes can tell from root', () => {
    expect(/^USER (.*)$/m.exec(dockerfile)?.[1]).toMatch(/^[1-9]\d*$/);
  });

  test('is a command of the same program', () => {
    expect(entry).toEqual(['node', 'dist/cli.js']);
    expect(command.slice(0, entry.length)).toEqual(entry);
  });

  test.each([[['--port', '0']], [['--port', '0', '--host', '127.0.0.1']]])(
    'finds the gateway that runs with %j, and not one that has ended',
    async (flags) => {
      const check = () => inContainer(command.slice(entry.length)).then(({ exit }) => exit);
      const gateway = await inContainer(['serve', '--no-canary', ...flags, ...credentials]);
      await ready(gateway.child);
      expect(await check()).toEqual([0, null]);
      gateway.child.kill('SIGKILL');
      await gateway.exit;
      expect(await check()).toEqual([1, null]);
    },
  );
});

describe('a process that still loads its code', () => {
  /** It sends itself this signal once it listens for signals. */
  const signalled = (signal: NodeJS.Signals) => {
    const send = `process.on('newListener', function send(name) {
      if (name !== 'SIGTERM') return;
      process.off('newListener', send);
      queueMicrotask(() => process.kill(process.pid, '${signal}'));
    })`;
    return ['--import', `data:text/javascript,${encodeURIComponent(send)}`];
  };

  test('ends at SIGTERM also as the first of its container, which gets no signal that it does not listen for', async () => {
    // Root may be in a chroot, where no user namespace can be made, and needs none.
    const mapped = process.getuid?.() === 0 ? [] : ['--map-root-user'];
    const isolated = [...mapped, '--pid', '--fork', '--kill-child', process.execPath];
    const { child, complaints, exit } = start('unshare', [
      ...isolated,
      ...signalled('SIGTERM'),
      'dist/cli.js',
      ...gatewayFlags,
    ]);
    const out = text(child.stdout as NodeJS.ReadableStream);
    const ended = {
      exit: await exit,
      complaints: await complaints,
      drained: (await out).includes('"draining"'),
    };
    // From Node 22 on, code is loaded without a turn of the loop: the signal is seen once the gateway can drain.
    const isSeenWhileLoading = Number(process.versions.node.split('.')[0]) < 22;
    expect(ended).toEqual({
      exit: [isSeenWhileLoading ? 143 : 0, null],
      complaints: '',
      drained: !isSeenWhileLoading,
    });
  });

  test('goes on at SIGHUP, as it reads its configuration afterwards', async () => {
    const args = [...signalled('SIGHUP'), ...commandLine(), ...gatewayFlags];
    const { child, pid, exit } = start(process.execPath, args);
    await ready(child);
    kill(pid, 'SIGTERM');
    expect(await exit).toEqual([0, null]);
  });
});

test.each(['', 'serve'])('a gateway sees to its heap, started by the command %j', (command) => {
  const spy = `import v8 from 'node:v8';
    import os from 'node:os';
    import { syncBuiltinESMExports } from 'node:module';
    os.availableParallelism = () => 1;
    v8.setFlagsFromString = (flag) => console.log(flag);
    syncBuiltinESMExports();`;
  const preload = ['--import', `data:text/javascript,${encodeURIComponent(spy)}`];
  const { stdout, status } = spawnSync(
    process.execPath,
    [...preload, ...commandLine(), ...(command === '' ? [] : [command]), '--port', 'none'],
    { cwd: root, encoding: 'utf8' },
  );
  expect({ stdout, status }).toEqual({
    stdout: expect.stringMatching(/^--no-concurrent-marking .+\n--heap-growing-percent=\d+\n/),
    status: 2,
  });
});

describe('a gateway that loads a data folder', () => {
  const dataFlags = () => ['--engine', 'lmdb', '--data-dir', join(folder, 'data')];
  const marker = () => join(folder, 'data', 'sluice.json');
  const owner = () => readFileSync(join(folder, 'data', 'owner'), 'utf8');
  const isClean = () => (JSON.parse(readFileSync(marker(), 'utf8')) as { clean: boolean }).clean;

  /** Until the data folder is another gateway's. */
  async function taken(before: string): Promise<void> {
    const stop = new AbortController();
    const changed = watch(join(folder, 'data'), { signal: stop.signal });
    while (owner() === before || owner() === '') await once(changed, 'change');
    stop.abort();
  }

  test.each(['SIGTERM', 'SIGINT'] as const)('ends in order at %s', async (signal) => {
    const filled = await startGateway({ engine: 'lmdb', dataDir: join(folder, 'data') });
    for (let batch = 0; batch < 5; batch++)
      await filled.publish(Array.from({ length: 1000 }, (_, i) => ({ topic: `t${batch}-${i}`, data: i })));
    await filled.close();
    expect(isClean()).toBe(true);

    const before = owner();
    const gateway = start(process.execPath, [...commandLine(), ...gatewayFlags, ...dataFlags()]);
    const out = text(gateway.child.stdout as NodeJS.ReadableStream);
    await taken(before);
    gateway.child.kill(signal);
    expect([await gateway.exit, await gateway.complaints]).toEqual([[0, null], '']);
    expect(await out).toContain(signal);
    expect(isClean()).toBe(true);
  });
});

describe('a gateway that can’t start', () => {
  const apiKey = 'k'.repeat(20);

  test('names the host that is unknown, and speaks of no port that is taken', async () => {
    const args = ['--host', 'nosuchhost.invalid', '--api-key', apiKey, '--port', '0'];
    const { exitCode, complaints } = await run(args, { startServer, untilStopped: forever });
    expect(exitCode).toBe(1);
    expect(complaints).toMatch(/^The host nosuchhost\.invalid (is unknown|can't be looked up)/);
  });

  test.each([
    ['file/data', 'file/data lies below something that is not a folder'],
    // Node's own way to make a folder with its parents does not end there.
    ['/proc/sluice/data', '/proc/sluice does not exist, and can’t be made'],
  ])('names the data folder that it can’t make, and speaks of no port: %s', async (path, why) => {
    writeFileSync(join(folder, 'file'), '');
    const dataDir = resolve(folder, path);
    const args = ['--port', '0', '--engine', 'lmdb', '--data-dir', dataDir];
    const { exitCode, complaints } = await run(args, { startServer, untilStopped: forever });
    expect(exitCode).toBe(1);
    expect(complaints).toContain(why);
    expect(complaints).not.toMatch(/port/i);
  });
});

const forever = () => new Promise<string>(() => undefined);
