import type { ServerKinds } from '../protocol/server-frames.ts';
import type { ClientError } from './client-error.ts';
import { localError } from './client-error.ts';
import type { ClosedBy } from './connection/close-code.ts';
import type { Greeting } from './connection/socket-session.ts';
import { Core } from './core.ts';
import type { ClientEvents } from './events.ts';
import type { Published } from './offline-queue.ts';
import type { ClientOptions } from './options.ts';
import { payloadOf, readPayload } from './payload.ts';
import type { PublishOptions } from './publication.ts';
import { ReceivedPublication } from './publication.ts';
import { checkedPublish } from './requests.ts';
import type { ClientStats, ClientStatus } from './status.ts';
import type { SubscribeOptions } from './subscriptions/subscribe-options.ts';
import type { PublicationListener, Subscription } from './subscriptions/subscription.ts';

export interface HistoryPage<T> extends Omit<ServerKinds['history'], 'publications'> {
  readonly publications: readonly ReceivedPublication<T>[];
}

/** What every client offers, whatever holds its connection. */
export type Client = Pick<SluiceClient, keyof SluiceClient>;

/** A client of a gateway: connects, reconnects, subscribes and publishes. */
export class SluiceClient {
  readonly #core: Core;

  /** `url`: `wss://host/ws`; in a page also a path. */
  constructor(url: string, options: ClientOptions = {}) {
    this.#core = new Core(url, options);
  }

  /**
   * Begins to connect; while the client waits to reconnect, tries at once. The client goes on trying by
   * itself, but the promise
   * settles: it resolves when the client is connected, and rejects with the reason when the attempt fails.
   * Where the attempts are limited (`maxReconnectAttempts`) it rejects when the last one has failed. The
   * promise may be ignored.
   */
  connect(): Promise<Greeting> {
    return this.#core.connect();
  }

  /** Ends the connection. Subscriptions stay, and go on where they were after another `connect()`. */
  close(): void {
    this.#core.close();
  }

  /**
   * One topic, or a pattern with a trailing `*`. The listener hears publications; the subscription tells
   * everything else. The options may be left out.
   */
  subscribe<T = unknown>(
    topic: string,
    options: SubscribeOptions | PublicationListener<T> = {},
    listener?: PublicationListener<T>,
  ): Subscription<T> {
    if (typeof options === 'function') return this.subscribe(topic, {}, options);
    const subscription = this.#core.subscriptions.add<T>(topic, options);
    if (listener) subscription.on('publication', listener);
    return subscription;
  }

  /**
   * Settles when the gateway has committed it. Without a connection it waits in the queue, as it does while
   * the gateway limits the rate; an acknowledgement that was lost is asked for again, and the messageId keeps
   * it from counting twice. Bytes (an ArrayBuffer or a view on one) go as they are, all else as JSON. What
   * can't be carried as it is rejects, and so does what is larger than the gateway takes. `timeout` rejects
   * too: whether it was done is unknown then, and the same messageId may be used again.
   */
  async publish(
    topic: string,
    type: string,
    data?: unknown,
    options: PublishOptions = {},
  ): Promise<Published> {
    if (this.#core.connection.state === 'closed') throw localError('closed');
    const fields = checkedPublish(topic, type, data, options);
    return this.#core.queue.publish(fields, options.exceptSelf === true);
  }

  /** A page of the topic's history, oldest first: publications with offsets greater than `after`. */
  async history<T = unknown>(
    topic: string,
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<HistoryPage<T>> {
    const page = await this.#core.request('history', { ...options, topic });
    return { ...page, publications: page.publications.map((one) => new ReceivedPublication<T>(topic, one)) };
  }

  /** The sessions that are subscribed to the topic and listed there. */
  presence(topic: string): Promise<ServerKinds['presence']> {
    return this.#core.request('presence', { topic });
  }

  /** Asks the application behind the gateway, and resolves with its answer. */
  async call<T = unknown>(method: string, data?: unknown): Promise<T> {
    const { payload } = await this.#core.request('call', { method, payload: payloadOf(data) });
    return (payload && readPayload(payload)) as T;
  }

  /** Asks the gateway what it knows of this session. */
  status(): Promise<ServerKinds['status']> {
    return this.#core.request('status', {});
  }

  /** What the client knows, without asking the gateway. */
  getStatus(): ClientStatus {
    const { lastChange, greeting, transports, connectedAtMs, clock, subscriptions, queue } = this.#core;
    const { state, retryAtMs, attempts, error, reason } = lastChange;
    return {
      state,
      transport: transports.current,
      session: greeting?.session,
      user: greeting?.user,
      connectedAtMs,
      retryAtMs,
      attempts,
      error,
      reason,
      roundTripMs: clock.roundTripMs,
      serverOffsetMs: clock.offsetMs,
      subscriptions: subscriptions.size,
      queued: queue.size,
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
