import type { ClientError } from '../client-error.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { Attachment, CallName, Calls, Delegate, DelegateEvent } from './delegate.ts';
import type { FromHost, ToHost } from './messages.ts';

interface WaitingCall {
  resolve(value: unknown): void;
  reject(error: ClientError): void;
}

/** Delegates to a client that another tab or a worker holds. A call never settles if that one goes first. */
export class RemoteDelegate implements Delegate {
  readonly mayHaveSent = true;
  readonly #listeners = new Map<number, (events: readonly DelegateEvent[]) => void>();
  readonly #waiting = new Map<number, WaitingCall>();
  readonly #post: (message: ToHost) => void;
  readonly #newId: () => number;

  /** `newId`: never one of another delegate of this page, whose holder may still send events for it. */
  constructor(post: (message: ToHost) => void, newId: () => number) {
    this.#post = post;
    this.#newId = newId;
  }

  subscribe(
    topic: string,
    options: SubscribeOptions,
    listener: (events: readonly DelegateEvent[]) => void,
  ): Attachment {
    const id = this.#newId();
    this.#listeners.set(id, listener);
    this.#post({ kind: 'attach', id, topic, options });
    return {
      setKeys: (keys) => this.#post({ kind: 'keys', id, keys }),
      end: () => {
        this.#listeners.delete(id);
        this.#post({ kind: 'detach', id });
      },
    };
  }

  call<K extends CallName>(name: K, args: Parameters<Calls[K]>): Promise<Awaited<ReturnType<Calls[K]>>> {
    const id = this.#newId();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#post({ kind: 'call', id, name, args });
    });
  }

  /** Takes a message of the holder. Those that are not about subscriptions or calls are left to the caller. */
  receive(message: FromHost): void {
    switch (message.kind) {
      case 'events':
        this.#listeners.get(message.id)?.(message.events);
        break;
      case 'reply':
      case 'page':
        this.#take(message.id)?.resolve(message.value);
        break;
      case 'refusal':
        this.#take(message.id)?.reject(message.error);
        break;
    }
  }

  #take(id: number): WaitingCall | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
