import type { DestinationStream } from 'pino';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** The world around the commands. */
export interface CliDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array>;
  print(text: string): void;
  complain(text: string): void;
  /** Lines are for a person rather than for a collector of logs. */
  readonly isTerminal: boolean;
  readonly fetch: typeof fetch;
  /** Aborting `signal` ends a start that is under way: it rejects with the signal's reason. */
  startServer(config: Config, options: { log: Log; signal: AbortSignal }): Promise<RunningServer>;
  /** Instead of standard output. */
  readonly logTo?: DestinationStream;
  /** Resolves, with the reason, when the process is asked to end; from this call on that does not kill it. */
  untilStopped(): Promise<string>;
}

/** Ends the process with this code, after what it has to say was said. */
export class Exit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}
