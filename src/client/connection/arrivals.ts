import type { ClientError } from '../client-error.ts';

type Arrival<T> = readonly [resolve: (value: T) => void, reject: (error: ClientError) => void];

/** The promises of `connect()` or `ready`: each settles once. */
export class Arrivals<T> {
  readonly #waiting: Arrival<T>[] = [];

  add(): Promise<T> {
    const settled = new Promise<T>((...arrival) => this.#waiting.push(arrival));
    // The promise may be ignored: the state and the event `error` tell the same.
    settled.catch(() => {});
    return settled;
  }

  arrived(value: T): void {
    for (const [resolve] of this.#waiting.splice(0)) resolve(value);
  }

  failed(error: ClientError): void {
    for (const [, reject] of this.#waiting.splice(0)) reject(error);
  }
}
