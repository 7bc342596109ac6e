import type { Client, HistoryPage } from '../client.ts';
import { ClientError, localError } from '../client-error.ts';
import type { StateChange } from '../connection/connection.ts';
import type { Greeting } from '../connection/socket-session.ts';
import type { Runtime } from '../runtime.ts';
import { ClientDelegate } from './client-delegate.ts';
import type { Attachment, CallName, Calls } from './delegate.ts';
import type { FromHost, ToHost } from './messages.ts';

/** The state of the connection. */
export interface HostState {
  readonly greeting: Greeting | undefined;
  readonly change: StateChange;
}

/** Serves one page with the client that this tab or worker holds. */
export class Host {
  readonly #attachments = new Map<number, Attachment>();
  readonly #client: Client;
  readonly #delegate: ClientDelegate;
  readonly #connected: () => HostState;
  readonly #post: (message: FromHost) => void;

  constructor(
    client: Client,
    runtime: Pick<Runtime, 'monotonicMs'>,
    connected: () => HostState,
    post: (message: FromHost) => void,
  ) {
    this.#client = client;
    this.#delegate = new ClientDelegate(client, runtime);
    this.#connected = connected;
    this.#post = post;
  }

  tell(message: FromHost): void {
    this.#post(message);
  }

  receive(message: ToHost): void {
    switch (message.kind) {
      case 'hello':
        this.#post({ kind: 'welcome', ...this.#connected() });
        this.#status('status');
        break;
      case 'attach':
        this.#attach(message);
        break;
      case 'keys':
        this.#attachments.get(message.id)?.setKeys(message.keys);
        break;
      case 'detach':
        this.#attachments.get(message.id)?.end();
        this.#attachments.delete(message.id);
        break;
      case 'call':
        void this.#call(message.id, message.name, message.args);
        break;
      case 'connect':
        this.#client
          .connect()
          .catch((fault) => this.#post({ kind: 'unconnected', error: asClientError(fault) }));
        break;
      case 'ping':
        this.#status('pong');
        break;
      case 'bye':
        this.close();
        break;
    }
  }

  /** The page is gone. */
  close(): void {
    for (const attachment of this.#attachments.values()) attachment.end();
    this.#attachments.clear();
  }

  #attach({ id, topic, options }: ToHost & { kind: 'attach' }): void {
    try {
      const attachment = this.#delegate.subscribe(topic, options, (events) =>
        this.#post({ kind: 'events', id, events }),
      );
      this.#attachments.set(id, attachment);
    } catch (fault) {
      this.#post({ kind: 'events', id, events: [['error', asClientError(fault)]] });
    }
  }

  async #call(id: number, name: CallName, args: readonly unknown[]): Promise<void> {
    try {
      const value = await this.#delegate.call(name, args as Parameters<Calls[CallName]>);
      this.#post(
        name === 'history'
          ? { kind: 'page', id, value: value as HistoryPage<unknown> }
          : { kind: 'reply', id, value },
      );
    } catch (fault) {
      this.#post({ kind: 'refusal', id, error: asClientError(fault) });
    }
  }

  #status(kind: 'pong' | 'status'): void {
    this.#post({ kind, status: this.#client.getStatus(), stats: this.#client.getStats() });
  }
}

function asClientError(fault: unknown): ClientError {
  return fault instanceof ClientError ? fault : localError('listener_failed', String(fault), fault);
}
