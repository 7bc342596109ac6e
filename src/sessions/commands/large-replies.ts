import type { Connection } from '../connection.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Outbox } from '../outbox.ts';
import { runTask, type Task, type TaskFaults } from './task.ts';

/** Commands of one session that wait for their large replies to be made; more are refused. */
export const waitingRepliesMax = 100;

export interface LargeRepliesOptions {
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly turnBudget: TurnBudget;
  readonly faults: TaskFaults;
}

/**
 * Commands of one session that have large replies, one after the other, each run only when the connection has room:
 * for a client that does not read, no reply is made.
 */
export class LargeReplies {
  readonly #options: LargeRepliesOptions;
  #waiting: Task[] = [];
  #isBusy = false;

  constructor(options: LargeRepliesOptions) {
    this.#options = options;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** False: too many wait. Else the task is run once, unless the session ends before. */
  add(task: Task): boolean {
    if (this.#waiting.length >= waitingRepliesMax) return false;
    this.#waiting.push(task);
    this.pump();
    return true;
  }

  /** Call it when there may be room again. */
  pump(): void {
    const { connection, outbox, turnBudget } = this.#options;
    if (this.#isBusy || this.#waiting.length === 0 || !outbox.hasRoom()) return;
    this.#isBusy = true;
    const run = () => this.#run();
    turnBudget.run(run, () => connection.cork(run));
  }

  clear(): void {
    this.#waiting = [];
  }

  #run(): void {
    const task = this.#waiting.shift();
    const pending = task === undefined ? undefined : runTask(task, this.#options.faults);
    if (pending === undefined) this.#done();
    else void pending.then(() => this.#done());
  }

  #done(): void {
    this.#isBusy = false;
    this.pump();
  }
}
