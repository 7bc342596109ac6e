#!/usr/bin/env node
import { once } from 'node:events';
import { onHangUp, untilSignalled, whileLoading } from './cli/signals.ts';
import { collectByLoop } from './server/collector-threads.ts';
import { boundHeapGrowth } from './server/heap-growth.ts';
import { tooFewFiles } from './server/open-files.ts';

// Loading the rest takes a tenth of a second and more. A process that is the first of its container gets no signal
// before it listens for it, so this file imports nothing large.
// A reload has nothing to do yet: `serve` reads its configuration once it is loaded.
// It is also the command of a line without one.
if (/^(serve|-.*)?$/.test(process.argv[2] ?? '')) {
  onHangUp(process, process.stdout.isTTY === true, () => undefined);
  collectByLoop();
  boundHeapGrowth();
  setInterval(boundHeapGrowth, 1000).unref();
}
const loaded = whileLoading(process);
const unable = tooFewFiles();
if (unable !== undefined) {
  process.stderr.write(`${unable}\n`);
  process.exit(1);
}
const { runCli } = await import('./cli/commands.ts');

const { notifySystemd } = await import('./cli/service-manager.ts');
const { isWorker } = await import('./workers/worker-process.ts');

const exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  stdin: process.stdin,
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  isTerminal: process.stdout.isTTY === true,
  fetch,
  startServer: async (config, options) => (await import('./server.ts')).startServer(config, options),
  startParent: async (config, options) =>
    (await import('./server/parent.ts')).startParent(config, { ...options, commandLine: process }),
  joinParent: isWorker(process.env)
    ? async (config) => (await import('./server/worker.ts')).joinParent(config)
    : undefined,
  announce: () => {
    if (process.connected) process.send?.('ready');
    notifySystemd(process.env, (reason) => {
      process.stderr.write(`systemd is not told that the gateway is ready: ${reason}\n`);
    });
  },
  onReload: (reload) => onHangUp(process, process.stdout.isTTY === true, reload),
  untilUnread: () => once(process.stdout, 'error').then(() => undefined),
  untilStopped: () => {
    const stopped = untilSignalled({
      on: (signal, listener) => process.on(signal, listener),
      nowMs: () => performance.now(),
      exit: process.exit,
    });
    loaded();
    return stopped;
  },
});
process.exit(exitCode);
