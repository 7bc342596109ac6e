import type { DestinationStream } from 'pino';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { Worker, WorkerSite } from '../server/worker.ts';

export interface RunningGateway {
  readonly host: string;
  readonly port: number;
  /** A port of its own for metrics and the administration, in plain HTTP. */
  readonly adminPort?: number | undefined;
  /** A port of its own for connections with a header of the PROXY protocol. */
  readonly proxyPort?: number | undefined;
  /** A port of its own for WebSockets of an older system. */
  readonly compatPort?: number | undefined;
  /** The configuration has other values now. Resolves with what is wrong with the certificate, if anything. */
  reload(): Promise<Error | undefined>;
  close(): Promise<void>;
}

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
  /** Output goes to a person, and not to a collector of logs. */
  readonly isTerminal: boolean;
  readonly fetch: typeof fetch;
  /** Aborting `signal` ends a start that is under way: it rejects with the signal's reason. */
  startServer(config: Config, options: StartServerOptions): Promise<RunningGateway>;
  /** The same for a gateway of several processes, of which this one serves no client. */
  startParent(config: Config, options: StartServerOptions): Promise<RunningGateway>;
  /** Absent: this process is no worker of another one. */
  readonly joinParent?: ((config: Config) => Promise<Worker>) | undefined;
  /** Instead of standard output. */
  readonly logTo?: DestinationStream;
  /** Resolves, with the reason, when the process is asked to end; from this call on that does not kill it. */
  untilStopped(): Promise<string>;
  /** Resolves when what is printed can't be written any more: its reader, say `head`, has ended. */
  untilUnread(): Promise<void>;
  /** Calls `reload` whenever the process is asked to read its configuration anew. */
  onReload(reload: () => void): void;
}

/** Ends the process with this code, after its message was printed. */
export class Exit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}
