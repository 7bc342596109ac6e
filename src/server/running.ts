/** The ports that a gateway listens on: what the options of these names got. Absent: it does not listen there. */
export interface ListeningPorts {
  readonly port: number;
  readonly compatPort?: number | undefined;
  readonly adminPort?: number | undefined;
  readonly proxyPort?: number | undefined;
}

/** A gateway that runs, of one process or of several. */
export interface RunningGateway extends ListeningPorts {
  readonly host: string;
  /**
   * Applies the changed configuration (a `LiveConfig`), ends the sessions of clients that are no longer admitted, and
   * reloads certificate and public keys. Resolves with the error of the certificate, if any; then the old one stays.
   */
  reload(): Promise<Error | undefined>;
  /** Refuses new connections, asks clients to reconnect later, drains, and ends. */
  close(): Promise<void>;
}
