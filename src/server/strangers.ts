import type { Log } from '../log.ts';

/** At most this many names are remembered as logged. */
const maxLogged = 100;

/** Logs, once for each, what gateways of other versions say that this one does not know. It is ignored. */
export class Strangers {
  readonly #log: Pick<Log, 'warn'>;
  readonly #logged = new Set<string>();

  constructor(log: Pick<Log, 'warn'>) {
    this.#log = log;
  }

  ignore(what: string, from: string): void {
    if (this.#logged.has(what) || this.#logged.size >= maxLogged) return;
    this.#logged.add(what);
    this.#log.warn({ from, what }, 'ignored a message of a gateway of another version');
  }

  /** Runs a handler that may not understand what it is told. */
  guard(name: string, from: string, hear: () => void): void {
    try {
      hear();
    } catch (error) {
      this.ignore(`${name}: ${(error as Error).message}`, from);
    }
  }
}
