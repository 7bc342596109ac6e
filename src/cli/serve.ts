import type { Config } from '../config.ts';
import { createLog } from '../log.ts';
import { type CliDeps, Exit } from './deps.ts';

/** Runs the gateway until the process is asked to end, then drains it. */
export async function serve(config: Config, deps: CliDeps): Promise<void> {
  const log = createLog(config, deps.logTo);
  const server = await deps.startServer(config, { log }).catch((error: unknown) => {
    throw new Exit(1, startFailure(error, config), error);
  });
  const url = `http://${server.host.includes(':') ? `[${server.host}]` : server.host}:${server.port}`;
  if (deps.isTerminal || config.logFormat === 'pretty')
    deps.print(`Sluice is ready: ${url} (Ctrl-C ends it)\n`);
  else log.info({ url }, `Sluice is ready: ${url}`);
  const reason = await deps.untilStopped();
  log.info({ reason }, 'draining');
  await server.close();
}

function startFailure(error: unknown, config: Config): string {
  const { code, message } =
    error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  if (code === 'EADDRINUSE') {
    return `Port ${config.port} of ${config.host} is taken. Choose another with --port, or 0 for any free one.`;
  }
  if (code === 'EACCES') return `Port ${config.port} of ${config.host} may not be used by this user.`;
  return `The gateway can't start: ${message}`;
}
