import { urlToReach } from '../config/reach.ts';
import type { Config } from '../config.ts';
import { parseUrl } from '../url.ts';
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

/** The value of `--url`. `fetch` would take a wrong one for a gateway that does not respond. */
export function givenUrl(text: string): string {
  const url = parseUrl(text);
  if (url === undefined || !/^(http|ws)s?:$/.test(url.protocol) || url.href !== url.origin + url.pathname)
    throw new Exit(2, '--url must be an http or https URL without user, password, query and fragment.');
  return text.replace(/^ws/i, 'http').replace(/\/$/, '');
}
