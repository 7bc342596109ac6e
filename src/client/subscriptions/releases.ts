import type { ClientError } from '../client-error.ts';
import type { PendingCommands } from '../pending-commands.ts';
import type { Timer } from '../timer.ts';

export interface ReleasesPort {
  readonly commands: PendingCommands;
  readonly timer: Timer;
  /** The gateway doesn't reply: the connection is of no use. */
  abandon(error: ClientError): void;
  /** Views have ended for which `holds` returned true. */
  ended(): void;
}

/** The gateway takes 1000 entries in a list. */
const viewsPerCommand = 500;

/**
 * Views that are no longer wanted, until the gateway has ended them: those of a turn in one command, and again where it
 * limits the rate. An equal subscription has to wait until then: the gateway would refuse it (`already_subscribed`).
 */
export class Releases {
  /** View to the key of its subscription. */
  readonly #wanted = new Map<number, string>();
  #planned = false;
  readonly #port: ReleasesPort;

  constructor(port: ReleasesPort) {
    this.#port = port;
  }

  add(view: number, key: string): void {
    this.#wanted.set(view, key);
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => this.flush());
  }

  /** Whether an equal subscription may still exist when a command that is sent now arrives. */
  holds(key: string): boolean {
    return this.#port.timer.isSet && [...this.#wanted.values()].includes(key);
  }

  /** Sends the views that were added. A command that is sent later arrives later. */
  flush(): void {
    this.#planned = false;
    if (this.#port.timer.isSet) return;
    while (this.#wanted.size > 0) this.#send([...this.#wanted].slice(0, viewsPerCommand));
  }

  /** The views have ended with the connection. */
  clear(): void {
    this.#wanted.clear();
    this.#port.timer.stop();
  }

  #send(entries: readonly (readonly [number, string])[]): void {
    const { commands, timer, abandon, ended } = this.#port;
    for (const [view] of entries) this.#wanted.delete(view);
    const views = entries.map(([view]) => view);
    commands.send('unsubscribe', { views }, (outcome) => {
      if (outcome.ok) return;
      const { code, retryAfterMs = 1_000 } = outcome.error;
      if (code === 'timeout') abandon(outcome.error);
      if (code !== 'rate_limited') return;
      for (const [view, key] of entries) this.#wanted.set(view, key);
      timer.set(retryAfterMs, () => {
        this.flush();
        ended();
      });
    });
  }
}
