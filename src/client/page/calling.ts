import type { ClientError } from '../client-error.ts';
import type { CallName, Calls, Source } from './source.ts';

interface Call {
  readonly name: CallName;
  readonly args: Parameters<Calls[CallName]>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (fault: unknown) => void;
}

/** Calls that wait for a source, or for its reply: those that are out when a source goes are asked of the next. */
export class Calling {
  readonly #open = new Set<Call>();
  #source: Source | undefined;

  use(source: Source | undefined): void {
    this.#source = source;
    for (const call of this.#open) this.#issue(call);
  }

  call<K extends CallName>(name: K, args: Parameters<Calls[K]>): Promise<Awaited<ReturnType<Calls[K]>>> {
    return new Promise((resolve, reject) => {
      const call: Call = { name, args, resolve: resolve as (value: unknown) => void, reject };
      this.#open.add(call);
      this.#issue(call);
    });
  }

  rejectAll(error: ClientError): void {
    for (const { reject } of this.#open) reject(error);
    this.#open.clear();
  }

  #issue(call: Call): void {
    const source = this.#source;
    source?.call(call.name, call.args).then(
      (value) => {
        if (this.#open.delete(call)) call.resolve(value);
      },
      (fault: unknown) => {
        // A source that went away did not decide anything.
        if (source === this.#source && this.#open.delete(call)) call.reject(fault);
      },
    );
  }
}
