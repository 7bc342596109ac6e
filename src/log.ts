import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';

export type Log = Logger;

/** The part of the log by which a stage reports what clients, the application or a proxy did. */
export interface WarningLog {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** The part of the log by which a stage reports its own faults. */
export interface ErrorLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/**
 * Fields that are never written, at the first two levels of a log line, which is as far as pino looks. This is the last
 * line of defence: no code should log them.
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
  // Synchronous in this thread, so that a terminal shows the last lines before a crash.
  return pino(options, pretty({ sync: true, translateTime: 'SYS:HH:MM:ss.l' }));
}
