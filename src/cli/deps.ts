import type { DestinationStream } from 'pino';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { RunningGateway } from '../server/running.ts';
import type { Worker, WorkerSite } from '../server/worker.ts';

export interface StartServerOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly site?: WorkerSite | undefined;
}

/** What the commands need from the process. */
export interface CliDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array>;
  print(text: string): void;
  complain(text: string): void;
  /** Standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly fetch: typeof fetch;
  /** Aborting `signal` ends a start that is under way: it rejects with the signal's reason. */
  startServer(config: Config, options: StartServerOptions): Promise<RunningGateway>;
  /** Starts a gateway with workers; this process serves no clients. */
  startParent(config: Config, options: StartServerOptions): Promise<RunningGateway>;
  /** Present in a worker process. */
  readonly joinParent?: ((config: Config) => Promise<Worker>) | undefined;
  /** Destination of the log instead of standard output. */
  readonly logTo?: DestinationStream;
  /** Tells what started this process, such as systemd, or PM2 with `wait_ready`, that the gateway is ready. */
  announce?(): void;
  /** Resolves with the signal when the process is asked to end. From this call on the signal does not kill it. */
  untilStopped(): Promise<string>;
  /** Resolves when standard output is closed, because its reader, such as `head`, has ended. */
  untilUnread(): Promise<void>;
  /** Calls `reload` whenever the process is asked to reload its configuration. */
  onReload(reload: () => void): void;
}

/** Thrown to end the process with this exit code, after its message was printed. */
export class Exit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}
