import type { ClientError } from '../client-error.ts';
import type { PendingCommands } from '../pending-commands.ts';
import type { Runtime, TimerHandle } from '../runtime.ts';

export interface ReleasesPort {
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
  /** The gateway doesn't answer: the connection is of no use. */
  abandon(error: ClientError): void;
  /** Views have ended that `holds` answered for. */
  ended(): void;
}

/** The gateway takes 1000 entries in a list. */
const viewsPerCommand = 500;

/**
 * Views that are not wanted any more, until the gateway has ended them: in one command those of a turn, and
 * again where it limits the rate. A subscription like one that has not ended has to wait: the gateway would
 * refuse it (`already_subscribed`).
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

  /** Whether an equal subscription may still be there when one that is sent now arrives. */
  holds(key: string): boolean {
    if (this.#timer === undefined) return false;
    for (const held of this.#wanted.values()) if (held === key) return true;
    return false;
  }

  /** Sends what was added. What is sent after it arrives after it. */
  flush(): void {
    this.#planned = false;
    if (this.#timer !== undefined) return;
    while (this.#wanted.size > 0) this.#send([...this.#wanted].slice(0, viewsPerCommand));
  }

  /** They have ended with the connection. */
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
