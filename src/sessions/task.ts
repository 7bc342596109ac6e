import { type Awaitable, isPending } from '../awaitable.ts';

/**
 * A command in two parts: `begin` does what has to be awaited and sends nothing; `finish` does the rest in one go, so
 * that all that it sends can leave in one write. Neither throws or rejects.
 */
export interface Task<T = unknown> {
  begin(): Awaitable<T>;
  finish(begun: T): void;
}

/** Runs a task that no other waits for. Resolves when it is done; undefined: it is done already. */
export function runTask(task: Task): Promise<void> | undefined {
  const begun = task.begin();
  if (isPending(begun)) return begun.then((late) => task.finish(late));
  task.finish(begun);
  return undefined;
}

/** Why the first part failed: for the second part, which tells the client. */
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
