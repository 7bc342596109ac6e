import type { ClientError } from '../client-error.ts';
import type { Greeting } from './socket-session.ts';

type Arrival = readonly [resolve: (greeting: Greeting) => void, reject: (error: ClientError) => void];

/** The promises of `connect()`: each settles once. */
export class Arrivals {
  readonly #waiting: Arrival[] = [];

  add(): Promise<Greeting> {
    const settled = new Promise<Greeting>((...arrival) => this.#waiting.push(arrival));
    // The promise may be ignored: the state and the event `error` tell the same.
    settled.catch(() => {});
    return settled;
  }

  arrived(greeting: Greeting): void {
    for (const [resolve] of this.#waiting.splice(0)) resolve(greeting);
  }

  failed(error: ClientError): void {
    for (const [, reject] of this.#waiting.splice(0)) reject(error);
  }
}
