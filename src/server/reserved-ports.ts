import { type Listening, reservePort } from '../transport/uws/listen.ts';
import { loadUws } from '../transport/uws/load.ts';
import { lockPort } from '../transport/uws/port-lock.ts';

/** Ports that processes will share, until they listen on them: no other gateway takes one meanwhile. */
export class ReservedPorts {
  readonly #ports: Listening[] = [];
  /** What releases them, by the port: it may be one of several hosts. */
  readonly #locks = new Map<number, () => void>();
  readonly #signal: AbortSignal | undefined;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** Resolves with the port; for 0 with another one. Rejects with a `ListenError`, or the reason of `signal`. */
  async add(host: string, port: number): Promise<number> {
    if (port !== 0 && !this.#locks.has(port)) this.#locks.set(port, await lockPort(port, this.#signal));
    const reserved = await reservePort(loadUws, host, port);
    this.#ports.push(reserved);
    return reserved.port;
  }

  async addIf(host: string, port: number | undefined): Promise<number | undefined> {
    return port === undefined ? undefined : this.add(host, port);
  }

  release(): void {
    for (const port of this.#ports.splice(0)) port.stop();
    for (const unlock of this.#locks.values()) unlock();
    this.#locks.clear();
  }
}
