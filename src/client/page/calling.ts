import type { ClientError } from '../client-error.ts';
import type { CallName, Calls, Delegate } from './delegate.ts';

interface Call {
  readonly name: CallName;
  readonly args: Parameters<Calls[CallName]>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (fault: unknown) => void;
}

/** Calls that wait for a delegate or for its reply. If the delegate goes first, the next one is called again. */
export class Calling {
  readonly #open = new Set<Call>();
  #delegate: Delegate | undefined;

  use(delegate: Delegate | undefined): void {
    this.#delegate = delegate;
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
    const delegate = this.#delegate;
    delegate?.call(call.name, call.args).then(
      (value) => {
        if (this.#open.delete(call)) call.resolve(value);
      },
      (fault: unknown) => {
        // The rejection of a delegate that is gone decides nothing.
        if (delegate === this.#delegate && this.#open.delete(call)) call.reject(fault);
      },
    );
  }
}
