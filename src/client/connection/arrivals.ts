import type { ClientError } from '../client-error.ts';
import type { Greeting } from './socket-session.ts';

interface Arrival {
  readonly resolve: (greeting: Greeting) => void;
  readonly reject: (error: ClientError) => void;
}

/** The promises of `connect()`: each settles once. */
export class Arrivals {
  #waiting: Arrival[] = [];

  add(): Promise<Greeting> {
    const settled = new Promise<Greeting>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    // The promise may be ignored: the state and the event `error` tell the same.
    settled.catch(() => {});
    return settled;
  }

  arrived(greeting: Greeting): void {
    for (const { resolve } of this.#take()) resolve(greeting);
  }

  failed(error: ClientError): void {
    for (const { reject } of this.#take()) reject(error);
  }

  #take(): readonly Arrival[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
