/** A result that may be there already: nobody waits a microtask for what is done at once. */
export type Awaitable<T> = T | Promise<T>;

/** Goes on with it as soon as it is there. */
export function whenDone<T, U>(result: Awaitable<T>, next: (result: T) => Awaitable<U>): Awaitable<U> {
  return result instanceof Promise ? result.then(next) : next(result);
}
