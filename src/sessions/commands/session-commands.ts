import type { Connection } from '../connection.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Outbox } from '../outbox.ts';
import { CommandQueue, type QueueOwner } from './command-queue.ts';
import { LargeReplies } from './large-replies.ts';
import type { Task, TaskFaults } from './task.ts';

/** The session whose commands these are. */
export interface CommandsOwner extends TaskFaults {
  /** Nothing runs or waits any more: this object may be dropped, and another made for the next command. */
  commandsDone(): void;
}

/**
 * The commands of one session that are under way: those that run one after the other, those whose large replies wait
 * for room, and those that wait for the application.
 */
export class SessionCommands implements QueueOwner {
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #turnBudget: TurnBudget;
  readonly #owner: CommandsOwner;
  /** Absent while none of its commands runs or waits. */
  #queue: CommandQueue | undefined;
  #largeReplies: LargeReplies | undefined;
  /** The last of the calls to `inOrder`, until it has settled. */
  #last: Promise<unknown> | undefined;

  constructor(connection: Connection, outbox: Outbox, turnBudget: TurnBudget, owner: CommandsOwner) {
    this.#connection = connection;
    this.#outbox = outbox;
    this.#turnBudget = turnBudget;
    this.#owner = owner;
  }

  /** A command that changes the session runs or waits. */
  get isQueueBusy(): boolean {
    return this.#queue?.isBusy === true;
  }

  /** Whether a command that changes the session may wait, with a message of this size. */
  hasRoom(bytes: number): boolean {
    return this.#queue?.hasRoom(bytes) !== false;
  }

  /** A large reply waits for room. */
  get hasWaitingReply(): boolean {
    return this.#largeReplies?.isWaiting === true;
  }

  /** A command that changes the session, or one that follows such commands. See `CommandQueue.add`. */
  add(task: Task, bytes = 0): boolean {
    this.#queue ??= new CommandQueue(this.#connection, this.#turnBudget, this);
    return this.#queue.add(task, bytes);
  }

  /** A command whose reply is large: see `LargeReplies.add`. */
  addLarge(task: Task): boolean {
    this.#largeReplies ??= new LargeReplies({
      connection: this.#connection,
      outbox: this.#outbox,
      turnBudget: this.#turnBudget,
      faults: this.#owner,
    });
    return this.#largeReplies.add(task);
  }

  /** Runs calls one after the other, also when one before has failed. */
  inOrder<T>(run: () => Promise<T>): Promise<T> {
    const result = (this.#last ?? Promise.resolve()).then(run);
    const settled = () => {
      if (this.#last !== last) return;
      this.#last = undefined;
      this.#tellDone();
    };
    const last: Promise<void> = result.then(settled, settled);
    this.#last = last;
    return result;
  }

  /** Makes the large replies that there is room for. */
  pump(): void {
    this.#largeReplies?.pump();
  }

  /** The session has ended: large replies that wait are not made. */
  clear(): void {
    this.#largeReplies?.clear();
  }

  // ---- QueueOwner

  failed(error: unknown): void {
    this.#owner.failed(error);
  }

  ranAll(): void {
    this.#queue = undefined;
    this.#tellDone();
  }

  #tellDone(): void {
    const isDone = this.#queue === undefined && this.#last === undefined && this.#largeReplies === undefined;
    if (isDone) this.#owner.commandsDone();
  }
}
