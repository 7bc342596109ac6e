/** A result that may be there already: what is done at once costs no microtask. */
export type Awaitable<T> = T | Promise<T>;

/** Goes on with it as soon as it is there. */
export function whenDone<T, U>(result: Awaitable<T>, next: (result: T) => Awaitable<U>): Awaitable<U> {
  return isPending(result) ? result.then(next) : next(result);
}

export function isPending<T>(result: Awaitable<T>): result is Promise<T> {
  return result instanceof Promise;
}
