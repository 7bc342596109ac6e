import { isPending } from '../../awaitable.ts';
import type { Connection } from '../connection.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Task, TaskFaults } from './task.ts';

/** The most bytes of messages whose commands wait; a single one may be larger. */
export const queuedMaxBytes = 256 * 1024;
/** Roughly what a waiting command takes besides its message. */
const commandOverheadBytes = 256;

/** Called with the error that a task throws. The next task runs all the same. */
export interface QueueOwner extends TaskFaults {
  /** Nothing runs or waits any more. */
  ranAll(): void;
}

interface QueuedTask {
  readonly task: Task;
  readonly bytes: number;
}

/**
 * Runs commands of one session that change what it takes part in, one after the other. Thousands of sessions may send
 * some at once, after an outage: commands begin within the time that a turn has for them. What a command sends leaves
 * in one write.
 */
export class CommandQueue {
  readonly #connection: Connection;
  readonly #turnBudget: TurnBudget;
  readonly #owner: QueueOwner;
  #isBusy = false;
  /** Undefined while nothing waits, as in most sessions. */
  #waiting: QueuedTask[] | undefined;
  #bytes = 0;

  constructor(connection: Connection, turnBudget: TurnBudget, owner: QueueOwner) {
    this.#connection = connection;
    this.#turnBudget = turnBudget;
    this.#owner = owner;
  }

  /** A command runs, or waits for its turn. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether a command with a message of this size may wait. */
  hasRoom(bytes: number): boolean {
    const waits = this.#waiting !== undefined && this.#waiting.length > 0;
    return !waits || this.#bytes + bytes + commandOverheadBytes <= queuedMaxBytes;
  }

  /**
   * `bytes`: of the command's message; 0: one of the gateway's own, which always has room. False: too much waits
   * already, and the command is not run.
   */
  add(task: Task, bytes = 0): boolean {
    if (this.#isBusy) return this.#wait(task, bytes);
    this.#isBusy = true;
    const run = () => this.#run(task);
    this.#turnBudget.run(run, () => this.#connection.cork(run));
    return true;
  }

  #wait(task: Task, messageBytes: number): boolean {
    if (messageBytes > 0 && !this.hasRoom(messageBytes)) return false;
    const bytes = messageBytes + commandOverheadBytes;
    this.#waiting ??= [];
    this.#waiting.push({ task, bytes });
    this.#bytes += bytes;
    return true;
  }

  #run(first: Task | undefined): void {
    for (let task = first; task !== undefined; task = this.#next()) {
      if (this.#isPending(task)) return;
    }
    this.#isBusy = false;
    this.#waiting = undefined;
    this.#owner.ranAll();
  }

  /** Whether the task awaits something, after which the queue goes on. Otherwise it is done. */
  #isPending(task: Task): boolean {
    try {
      const begun = task.begin();
      if (isPending(begun)) {
        this.#resume(task, begun);
        return true;
      }
      task.finish(begun);
    } catch (error) {
      this.#owner.failed(error);
    }
    return false;
  }

  #resume(task: Task, begun: Promise<unknown>): void {
    const end = (finish: () => void) => {
      try {
        finish();
      } catch (error) {
        this.#owner.failed(error);
      }
      this.#run(this.#next());
    };
    void begun.then(
      (late) => this.#connection.cork(() => end(() => task.finish(late))),
      (error: unknown) => this.#connection.cork(() => end(() => this.#owner.failed(error))),
    );
  }

  #next(): Task | undefined {
    const next = this.#waiting?.shift();
    this.#bytes -= next?.bytes ?? 0;
    return next?.task;
  }
}
