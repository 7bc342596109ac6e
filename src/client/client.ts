import type { Payload, ServerKinds } from '../protocol/frames.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import type { Greeting } from './attempt.ts';
import type { ClientError } from './client-error.ts';
import { localError } from './client-error.ts';
import type { ClientEvents, ClientStats, ClientStatus, HistoryPage, PublishOptions } from './client-types.ts';
import type { ClosedBy } from './closing.ts';
import { Core } from './core.ts';
import type { Published } from './offline-queue.ts';
import type { ClientOptions } from './options.ts';
import { payloadOf } from './payload.ts';
import { ReceivedPublication } from './received.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { PublicationListener, Subscription } from './subscription.ts';

/** A connection to a gateway that comes back by itself, and what goes over it. */
export class SluiceClient {
  readonly #core: Core;

  /** `url`: `wss://host/ws`; in a page also a path. */
  constructor(url: string, options: ClientOptions = {}) {
    this.#core = new Core(url, options);
  }

  /**
   * Begins to connect; while the client waits to reconnect, tries at once. Settles with the first success or with the
   * end of all attempts; nobody has to wait for it.
   */
  connect(): Promise<Greeting> {
    const settled = new Promise<Greeting>((resolve, reject) => {
      if (this.#core.connection.state === 'connected' && this.#core.greeting)
        return resolve(this.#core.greeting);
      const stop = [
        this.on('connect', (greeting) => done(() => resolve(greeting))),
        this.on(
          'state',
          ({ state, error }) => state === 'closed' && done(() => reject(error ?? localError('closed'))),
        ),
      ];
      const done = (settle: () => void): void => {
        for (const off of stop) off();
        settle();
      };
    });
    settled.catch(() => {});
    this.#core.connection.connect();
    return settled;
  }

  /** Ends the connection. Subscriptions stay, and go on where they were after another `connect()`. */
  close(): void {
    this.#core.connection.close();
  }

  /** One topic, or a pattern with a trailing `*`. The listener hears publications; the subscription tells everything else. */
  subscribe<T = unknown>(
    topic: string,
    options: SubscribeOptions = {},
    listener?: PublicationListener<T>,
  ): Subscription<T> {
    const subscription = this.#core.subscriptions.add<T>(canonicalTopic(topic), options);
    if (listener) subscription.on('publication', listener);
    return subscription;
  }

  /**
   * Settles when the gateway has committed it. Without a connection it waits in the queue; an acknowledgement that
   * was lost is asked for again, and the messageId keeps it from counting twice. A `Uint8Array` goes as it is, all else as JSON.
   */
  publish(topic: string, type: string, data?: unknown, options: PublishOptions = {}): Promise<Published> {
    if (this.#core.connection.state === 'closed') return Promise.reject(localError('closed'));
    const { exceptSelf, ...rest } = options;
    const except = exceptSelf ? this.#core.greeting?.session : undefined;
    let payload: Payload;
    try {
      payload = payloadOf(data);
    } catch (fault) {
      return Promise.reject(fault);
    }
    return this.#core.queue.publish({ topic, type, payload, except, ...rest });
  }

  /** A page of what the gateway keeps of a topic, oldest first, behind `after`. */
  async history<T = unknown>(
    topic: string,
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<HistoryPage<T>> {
    const page = await this.#core.commands.request('history', { topic, ...options });
    return { ...page, publications: page.publications.map((one) => new ReceivedPublication<T>(topic, one)) };
  }

  /** Who is in a topic. */
  presence(topic: string): Promise<ServerKinds['presence']> {
    return this.#core.commands.request('presence', { topic });
  }

  /** What the gateway knows of this session. */
  status(): Promise<ServerKinds['status']> {
    return this.#core.commands.request('status', {});
  }

  /** What this side knows, without asking. */
  getStatus(): ClientStatus {
    const { state, retryAtMs, attempts, error } = this.#core.lastChange;
    return {
      state,
      session: this.#core.greeting?.session,
      user: this.#core.greeting?.user,
      connectedAtMs: this.#core.connectedAtMs,
      retryAtMs,
      attempts,
      error,
      roundTripMs: this.#core.clock.roundTripMs,
      serverOffsetMs: this.#core.clock.offsetMs,
      subscriptions: this.#core.subscriptions.size,
      queued: this.#core.queue.size,
    };
  }

  getStats(): ClientStats {
    return { ...this.#core.stats };
  }

  on<K extends keyof ClientEvents>(event: K, listener: (...args: ClientEvents[K]) => void): () => void {
    return this.#core.events.on(event, listener);
  }

  off<K extends keyof ClientEvents>(event: K, listener: (...args: ClientEvents[K]) => void): void {
    this.#core.events.off(event, listener);
  }

  onConnect(listener: (greeting: Greeting) => void): () => void {
    return this.on('connect', listener);
  }

  onDisconnect(listener: (closed: ClosedBy) => void): () => void {
    return this.on('disconnect', listener);
  }

  onError(listener: (error: ClientError) => void): () => void {
    return this.on('error', listener);
  }
}
