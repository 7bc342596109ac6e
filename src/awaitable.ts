/** A result, or a promise of it. A result that is available at once costs no microtask. */
export type Awaitable<T> = T | Promise<T>;

/** Calls `next` with the result: at once, or when it resolves. */
export function whenDone<T, U>(result: Awaitable<T>, next: (result: T) => Awaitable<U>): Awaitable<U> {
  return isPending(result) ? result.then(next) : next(result);
}

export function isPending<T>(result: Awaitable<T>): result is Promise<T> {
  return result instanceof Promise;
}
