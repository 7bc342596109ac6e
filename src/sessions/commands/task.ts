import { type Awaitable, isPending } from '../../awaitable.ts';

/**
 * A command in two parts. `begin` does what has to be awaited, and sends nothing. `finish` does the rest at once, so
 * that its frames leave in one write. What they throw is a fault of the gateway: `finish` sends the client its errors.
 */
export interface Task<T = unknown> {
  begin(): Awaitable<T>;
  finish(begun: T): void;
}

/** Reports what a task threw; never throws. Consumer: what runs tasks; the session implements it. */
export interface TaskFaults {
  failed(error: unknown): void;
}

/** Runs a task that no other waits for. Resolves when it is done, or has failed; undefined: it is done already. */
export function runTask(task: Task, faults: TaskFaults): Promise<void> | undefined {
  const failed = (error: unknown) => faults.failed(error);
  try {
    const begun = task.begin();
    if (isPending(begun)) return begun.then((late) => task.finish(late)).catch(failed);
    task.finish(begun);
  } catch (error) {
    failed(error);
  }
  return undefined;
}

/** The error of the first part, for the second part, which tells the client. */
export class Failure {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** The result of `begin`, or its failure. */
export function settled<T>(begin: () => Awaitable<T>): Awaitable<T | Failure> {
  try {
    const begun = begin();
    return isPending(begun) ? begun.catch((error: unknown) => new Failure(error)) : begun;
  } catch (error) {
    return new Failure(error);
  }
}
