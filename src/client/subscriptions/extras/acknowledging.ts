import type { Ack, Position } from '../../../protocol/frames.ts';
import { entriesPerCommand } from '../../limits.ts';
import type { PendingCommands } from '../../pending-commands.ts';
import type { Timer } from '../../timer.ts';

/** Between two commands, as the gateway requires. */
const intervalMs = 1_000;

/** Tells the gateway up to where the application has received its inboxes: at once, then at most once a second. */
export class Acknowledging {
  readonly #commands: PendingCommands;
  /** The positions to acknowledge, by view. */
  readonly #had = new Map<number, Position>();
  readonly #timer: Timer;

  constructor(commands: PendingCommands, timer: Timer) {
    this.#commands = commands;
    this.#timer = timer;
  }

  note(view: number, position: Position): void {
    this.#had.set(view, position);
    if (!this.#timer.isSet) this.#plan(0);
  }

  flush(): void {
    const acks = [...this.#had].map(([view, position]) => ({ view, ...position }));
    this.#had.clear();
    while (acks.length > 0) this.#send(acks.splice(0, entriesPerCommand));
  }

  #send(acks: readonly (Position & Pick<Ack, 'view'>)[]): void {
    this.#commands.send('ping', { acks }, (_reply, error) => {
      if (error?.code !== 'rate_limited') return;
      for (const { view, ...position } of acks) if (!this.#had.has(view)) this.note(view, position);
    });
  }

  /** The views have ended with the connection. */
  clear(): void {
    this.#had.clear();
    this.#timer.stop();
  }

  #plan(delayMs: number): void {
    this.#timer.set(delayMs, () => {
      if (this.#had.size === 0) return;
      this.flush();
      this.#plan(intervalMs);
    });
  }
}
