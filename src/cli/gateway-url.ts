import { urlToReach } from '../config/reach.ts';
import type { Config } from '../config.ts';
import { Exit } from './deps.ts';
import { readRunFile } from './run-file.ts';

type Where = Pick<Config, 'host' | 'port' | 'runFile' | 'tlsCertFile'>;

/** The URL of a gateway of this configuration on this machine. Its run file takes precedence: it may have had flags. */
export function gatewayUrl({ host, port, runFile, tlsCertFile }: Where): string {
  const running = runFile === '' ? undefined : readRunFile(runFile);
  if (running !== undefined) return urlToReach(running.host, running.port, running.scheme);
  if (port === 0)
    throw new Exit(2, 'Port 0 is any free port: name the gateway with --url, or its SLUICE_RUN_FILE.');
  return urlToReach(host, port, tlsCertFile === '' ? 'http' : 'https');
}
