import type { ClientError } from '../client-error.ts';
import type { Runtime } from '../runtime.ts';
import type { CallName, Calls, Delegate, RelayedPublishOptions } from './delegate.ts';

interface Call {
  readonly name: CallName;
  readonly args: Parameters<Calls[CallName]>;
  /** The latest delegate that was called, and when. */
  issued?: { readonly to: Delegate; readonly atMs: number };
  /** When a delegate was first called that may have sent it, and is gone. */
  sentMs?: number | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (fault: unknown) => void;
}

/** Calls that wait for a delegate or for its reply. If the delegate goes first, the next one is called again. */
export class Calling {
  readonly #open = new Set<Call>();
  #delegate: Delegate | undefined;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

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
    if (!delegate) return;
    const nowMs = this.#runtime.monotonicMs();
    if (call.issued?.to.mayHaveSent) call.sentMs ??= call.issued.atMs;
    call.issued = { to: delegate, atMs: nowMs };
    const args =
      call.sentMs === undefined ? call.args : sentBefore(call.name, call.args, nowMs - call.sentMs);
    delegate.call(call.name, args).then(
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

/** The arguments of a call that another client may have had this long ago: it may have published, and gone. */
export function sentBefore(
  name: CallName,
  args: readonly unknown[],
  msAgo: number,
): Parameters<Calls[CallName]> {
  if (name !== 'publish') return args as Parameters<Calls[CallName]>;
  const [topic, type, data, options] = args as Parameters<Calls['publish']>;
  const sentMsAgo = ((options as RelayedPublishOptions | undefined)?.sentMsAgo ?? 0) + msAgo;
  const repeated: RelayedPublishOptions = { ...options, sentMsAgo };
  return [topic, type, data, repeated];
}
