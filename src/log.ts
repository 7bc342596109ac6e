import { type DestinationStream, type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Config } from './config.ts';
import { standardOutput } from './log/log-lines.ts';

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

/** Writes to standard output, or to `destination` (tests). Never waits for a reader, and never fails. */
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
  const onLeftOut = (leftOut: number) =>
    log.warn({ leftOut }, 'log lines were left out, because standard output did not take them');
  const isPretty = config.logFormat === 'pretty';
  const format = isPretty ? prettyFactory({ translateTime: 'SYS:HH:MM:ss.l' }) : undefined;
  const log: Log = pino(options, standardOutput({ ...(format && { format }), onLeftOut }));
  return log;
}

/** Resolves once the lines of the log are written; at most a second later, for a reader that does not read. */
export function flushed(log: Log): Promise<void> {
  return new Promise((resolve) => log.flush(() => resolve()));
}
