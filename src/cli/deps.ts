import type { DestinationStream } from 'pino';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** What the commands need from the process. */
export interface CliDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array>;
  print(text: string): void;
  complain(text: string): void;
  /** Output goes to a person, and not to a collector of logs. */
  readonly isTerminal: boolean;
  readonly fetch: typeof fetch;
  /** Aborting `signal` ends a start that is under way: it rejects with the signal's reason. */
  startServer(config: Config, options: { log: Log; signal: AbortSignal }): Promise<RunningServer>;
  /** Instead of standard output. */
  readonly logTo?: DestinationStream;
  /** Resolves, with the reason, when the process is asked to end; from this call on that does not kill it. */
  untilStopped(): Promise<string>;
}

/** Ends the process with this code, after its message was printed. */
export class Exit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}
