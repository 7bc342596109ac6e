import type { RunningServer } from '../server.ts';

class GatewayStateError extends Error {
  readonly code = 'ERR_GATEWAY_STATE';
}

/** The life of a gateway: it may be started, again after a start that failed, and ends once. */
export class GatewayRun {
  readonly #start: (signal: AbortSignal) => Promise<RunningServer>;
  readonly #stop = new AbortController();
  #starting: Promise<RunningServer> | undefined;
  #running: RunningServer | undefined;
  #closing: Promise<void> | undefined;

  constructor(start: (signal: AbortSignal) => Promise<RunningServer>) {
    this.#start = start;
  }

  async listen(): Promise<void> {
    if (this.isClosing) throw new GatewayStateError('the gateway is closed');
    this.#starting ??= this.#start(this.#stop.signal);
    try {
      this.#running = await this.#starting;
    } catch (error) {
      this.#starting = undefined;
      throw this.isClosing ? new GatewayStateError('the gateway was closed', { cause: error }) : error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Throws while it does not listen. */
  get server(): RunningServer {
    if (this.#running === undefined) throw new GatewayStateError('the gateway does not listen');
    return this.#running;
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    const server = await this.#starting?.catch(() => undefined);
    await server?.close();
    this.#running = undefined;
  }
}
