import type { ClientError } from '../client-error.ts';
import type { PendingCommands } from '../pending-commands.ts';
import type { Runtime, TimerHandle } from '../runtime.ts';

export interface ReleasesPort {
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
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
  #timer: TimerHandle | undefined;
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
    if (this.#timer === undefined) return false;
    for (const held of this.#wanted.values()) if (held === key) return true;
    return false;
  }

  /** Sends the views that were added. A command that is sent later arrives later. */
  flush(): void {
    this.#planned = false;
    if (this.#timer !== undefined) return;
    while (this.#wanted.size > 0) this.#send([...this.#wanted].slice(0, viewsPerCommand));
  }

  /** The views have ended with the connection. */
  clear(): void {
    this.#wanted.clear();
    this.#stopTimer();
  }

  #send(entries: readonly (readonly [number, string])[]): void {
    for (const [view] of entries) this.#wanted.delete(view);
    const views = entries.map(([view]) => view);
    this.#port.commands.send('unsubscribe', { views }, (outcome) => {
      if (outcome.ok) return;
      const { code, retryAfterMs = 1_000 } = outcome.error;
      if (code === 'rate_limited') this.#later(entries, retryAfterMs);
      else if (code === 'timeout') this.#port.abandon(outcome.error);
    });
  }

  #later(entries: readonly (readonly [number, string])[], delayMs: number): void {
    for (const [view, key] of entries) this.#wanted.set(view, key);
    this.#stopTimer();
    this.#timer = this.#port.runtime.setTimeout(() => {
      this.#timer = undefined;
      this.flush();
      this.#port.ended();
    }, delayMs);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#port.runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
