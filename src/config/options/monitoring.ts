import { boolean, choice, integer } from '../values.ts';
import { liveOption, option } from './option.ts';

/** What the gateway publishes and logs by itself. */
export const monitoringOptions = {
  sourceHost: option(
    boolean,
    false,
    'Publish this machine’s CPU, memory, load, disk and network to server:HOSTNAME.',
  ),
  sourceHostIntervalMs: option(integer(100, 3_600_000), 1000, 'Interval of these measurements.'),
  canary: option(
    boolean,
    true,
    'Measure the latency from publish to receipt once a second, with a built-in client over loopback. It counts as a connection. --no-canary turns it off.',
  ),
  logLevel: liveOption(
    choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'info',
    'Minimum level of log lines: trace, debug, info, warn, error, fatal, silent.',
  ),
  logFormat: option(choice(['json', 'pretty']), 'json', 'Format of log lines: json, or pretty for people.'),
} as const;
