import type { Log } from '../log.ts';

/** At most this many names are remembered as logged. */
const loggedMax = 100;

/** Logs, once for each, what gateways of other versions say that this one does not know. It is ignored. */
export class Strangers {
  readonly #log: Pick<Log, 'warn'>;
  readonly #logged = new Set<string>();

  constructor(log: Pick<Log, 'warn'>) {
    this.#log = log;
  }

  ignore(what: string, from: string): void {
    if (this.#logged.has(what) || this.#logged.size >= loggedMax) return;
    this.#logged.add(what);
    this.#log.warn({ from, what }, 'ignored a message of a gateway of another version');
  }

  /** Runs a handler that may not understand what it is told, be it only after a while. */
  guard(name: string, from: string, hear: () => unknown): void {
    const ignore = (error: unknown) => this.ignore(`${name}: ${(error as Error).message}`, from);
    try {
      const pending = hear();
      if (pending instanceof Promise) pending.catch(ignore);
    } catch (error) {
      ignore(error);
    }
  }
}
