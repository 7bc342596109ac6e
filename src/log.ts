import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';

export type Log = Logger;

/** What a stage needs of a log to report its own faults. */
export interface ErrorLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/**
 * Fields that are never written, at the top level of a log line or one below, which is as far as pino looks. The last
 * line of defence: no code should log them at all.
 */
const secretFields = [
  'token',
  'tokenSecret',
  'apiKey',
  'apiKeys',
  'authorization',
  'cookie',
  'x-api-key',
  'password',
  'secret',
].map((field) => `["${field}"]`);
const redact = {
  paths: secretFields.flatMap((field) => [field, `*${field}`, `*.headers${field}`]),
  censor: '[redacted]',
};

/** A token may also be part of the URL of a request. */
const serializers = {
  url: (url: unknown) => String(url).replace(/([?&]token=)[^&]*/g, '$1[redacted]'),
};

/** Writes to standard output, or to `destination` (tests). */
export function createLog(
  config: Pick<Config, 'logLevel' | 'logFormat'>,
  destination?: DestinationStream,
): Log {
  const options = {
    level: config.logLevel,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact,
    serializers,
  };
  if (destination) return pino(options, destination);
  if (config.logFormat === 'json') return pino(options);
  // In this thread and synchronous, so that a terminal shows the last lines before a crash.
  return pino(options, pretty({ sync: true, translateTime: 'SYS:HH:MM:ss.l' }));
}
