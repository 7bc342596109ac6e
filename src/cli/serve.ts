import { type Config, LiveConfig } from '../config.ts';
import { createLog, flushed, type Log } from '../log.ts';
import { addressesOf, schemeOf } from '../server/addresses.ts';
import type { RunningGateway } from '../server/running.ts';
import type { Worker } from '../server/worker.ts';
import { readyText } from './addresses.ts';
import { type CliDeps, Exit } from './deps.ts';
import { type LoadConfig, ReloadsInTurn, reload } from './reload.ts';
import { type RunningAt, removeRunFile, writeRunFile } from './run-file.ts';
import { startFailure } from './start-failure.ts';

/**
 * Runs the gateway until the process is asked to end, then drains it. `load`: reads its configuration. Throws a
 * `ConfigError`.
 */
export async function serve(load: LoadConfig, deps: CliDeps): Promise<void> {
  const warnings: string[] = [];
  const live = new LiveConfig(load((sentence) => warnings.push(sentence)));
  const { config } = live;
  if (deps.joinParent !== undefined) {
    await serveAsWorker(live, load, deps, await deps.joinParent(config));
    return;
  }
  const log = createLog(config, deps.logTo);
  for (const warning of warnings) log.warn(warning);
  const stop = new AbortController();
  const stopped = deps.untilStopped().then((reason) => {
    stop.abort();
    return reason;
  });
  const reloads = new ReloadsInTurn();
  deps.onReload(() => reloads.ask());
  const server = await start(config, deps, log, stop.signal);
  if (server === undefined) {
    log.info({ reason: await stopped }, 'stopped before it was ready');
    return;
  }
  reloads.begin(() => reload(live, load, server, log));
  const forget = remember(config, server, log);
  const addresses = addressesOf(config, server);
  // An error of standard output does not end the gateway.
  void deps.untilUnread();
  if (deps.isTerminal || config.logFormat === 'pretty') deps.print(readyText(addresses));
  else log.info(addresses, `Sluice is ready: ${addresses.url}`);
  deps.announce?.();
  const reason = await stopped;
  log.info({ reason }, 'draining');
  await server.close();
  log.info({ reason }, 'stopped');
  forget();
  await flushed(log);
}

/** The parent process prints the messages for people; this one only logs. */
async function serveAsWorker(
  live: LiveConfig,
  load: LoadConfig,
  deps: CliDeps,
  worker: Worker,
): Promise<void> {
  const { site, drained, abandoned } = worker;
  const { config } = live;
  const log = createLog(config, deps.logTo).child({ worker: site.start.index });
  const stop = new AbortController();
  const stopped = Promise.race([deps.untilStopped(), drained]).then((reason) => {
    stop.abort();
    return reason;
  });
  const reloads = new ReloadsInTurn();
  worker.onReload(() => reloads.ask());
  // The signal may reach all processes of the gateway, so workers ignore it: the parent tells them.
  deps.onReload(() => undefined);
  try {
    const server = await deps.startServer(config, { log, signal: stop.signal, site });
    worker.ready();
    reloads.begin(() => reload(live, load, server, log));
    log.info({ reason: await stopped }, 'draining');
    await Promise.race([server.close(), abandoned]);
    await flushed(log);
  } catch (error) {
    worker.failed(error);
    if (error !== stop.signal.reason) throw new Exit(1, startFailure(error, config), error);
  }
}

/** Resolves with undefined if it was stopped while it started. */
async function start(
  config: Config,
  deps: CliDeps,
  log: Log,
  signal: AbortSignal,
): Promise<RunningGateway | undefined> {
  try {
    const startIt = config.workers > 1 ? deps.startParent : deps.startServer;
    return await startIt(config, { log, signal });
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw new Exit(1, startFailure(error, config), error);
  }
}

/** Writes the run file, and returns a function that removes it. A failure is logged and does not stop the gateway. */
function remember(config: Config, { host, port }: RunningGateway, log: Log): () => void {
  const { runFile } = config;
  if (runFile === '') return () => undefined;
  const running: RunningAt = {
    pid: process.pid,
    host,
    port,
    ...(schemeOf(config) === 'https' ? { scheme: 'https' } : {}),
  };
  try {
    writeRunFile(runFile, running);
  } catch (error) {
    log.warn({ err: error }, 'the run file cannot be written: sluice health may look at the wrong port');
  }
  return () => removeRunFile(runFile, running);
}
