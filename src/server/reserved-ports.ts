import { type Listening, reservePort } from '../transport/uws/listen.ts';
import { loadUws } from '../transport/uws/load.ts';

/** Ports for the workers, until they listen on them. */
export class ReservedPorts {
  readonly #ports: Listening[] = [];

  /** Resolves with the port; for 0 with another one. Rejects with a `ListenError`. */
  async add(host: string, port: number): Promise<number> {
    const reserved = await reservePort(loadUws, host, port);
    this.#ports.push(reserved);
    return reserved.port;
  }

  async addIf(host: string, port: number | undefined): Promise<number | undefined> {
    return port === undefined ? undefined : this.add(host, port);
  }

  release(): void {
    for (const port of this.#ports.splice(0)) port.stop();
  }
}
