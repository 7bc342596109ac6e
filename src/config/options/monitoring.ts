import { boolean, choice, integer } from '../values.ts';
import { option } from './option.ts';

/** What the gateway publishes and logs by itself. */
export const monitoringOptions = {
  sourceHost: option(
    boolean,
    false,
    'Publish this machine’s CPU, memory, load, disk and network to server:HOSTNAME.',
  ),
  sourceHostIntervalMs: option(integer(100, 3_600_000), 1000, 'Time between two readings of the host.'),
  canary: option(
    boolean,
    true,
    'Measure publish to receive by a client of the gateway’s own, once a second over loopback.',
  ),
  logLevel: option(
    choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'info',
    'Least severe lines of the log: trace, debug, info, warn, error, fatal, silent.',
    { reloads: true },
  ),
  logFormat: option(choice(['json', 'pretty']), 'json', 'Lines of JSON, or for people.'),
} as const;
