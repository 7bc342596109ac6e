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

/** The interface of every client, whether it holds the connection itself or shares another's. */
export type Client = Pick<SluiceClient, keyof SluiceClient>;

/** A client of a gateway: connects, reconnects, subscribes and publishes. */
export class SluiceClient {
  readonly #core: Core;

  /** `url`: `wss://host/ws`; in a page also a path. */
  constructor(url: string, options?: ClientOptions) {
    this.#core = new Core(url, options ?? {});
  }

  /** Vue then keeps it as it is: through a proxy of Vue private fields can't be read. */
  protected get __v_skip(): true {
    return true;
  }

  /**
   * Begins to connect; a client that waits to reconnect tries at once. The client keeps trying by itself, so the
   * promise may be ignored. It resolves when the client is connected. It rejects with the reason when the first attempt
   * fails or, with `maxReconnectAttempts`, when the last one has failed.
   */
  connect(): Promise<Greeting> {
    return this.#core.connect();
  }

  /** Ends the connection. Subscriptions stay, and continue from their positions after another `connect()`. */
  close(): void {
    this.#core.close();
  }

  /**
   * Subscribes to one topic, or to a pattern with a trailing `*`. The listener gets the publications; the subscription
   * has events for everything else. The options may be left out.
   */
  subscribe<T = unknown>(
    topic: string,
    options?: SubscribeOptions | PublicationListener<T>,
    listener?: PublicationListener<T>,
  ): Subscription<T> {
    if (typeof options === 'function') return this.subscribe(topic, {}, options);
    const subscription = this.#core.subscriptions.add<T>(topic, options ?? {});
    if (listener) subscription.on('publication', listener);
    return subscription;
  }

  /**
   * Resolves when the gateway has committed the publication. It waits in the offline queue while there is no connection
   * and while the gateway limits the rate. If the acknowledgement is lost with the connection it is sent again, and its
   * messageId keeps it from counting twice. Bytes (an ArrayBuffer or a view on one) are sent as they are, everything
   * else as JSON. Rejects with `unsupported_value` if JSON can't carry the data, with `payload_too_large`,
   * `frame_too_large` or the gateway's refusal, and with `timeout`: then it is unknown whether it was committed, and
   * the same messageId may be used again.
   */
  async publish(topic: string, type: string, data?: unknown, options?: PublishOptions): Promise<Published> {
    if (this.#core.connection.state === 'closed') throw localError('closed');
    const fields = checkedPublish(topic, type, data, options);
    return this.#core.queue.publish(fields, options);
  }

  /** A page of the topic's history, oldest first: publications with offsets greater than `after`. */
  async history<T = unknown>(
    topic: string,
    options?: { readonly after?: number | undefined; readonly limit?: number | undefined },
  ): Promise<HistoryPage<T>> {
    const page = await this.#core.request('history', { ...options, topic });
    return { ...page, publications: page.publications.map((one) => new ReceivedPublication<T>(topic, one)) };
  }

  /** The sessions that are subscribed to the topic and listed there. */
  presence(topic: string): Promise<ServerKinds['presence']> {
    return this.#core.request('presence', { topic });
  }

  /** Calls a method of the application behind the gateway, and resolves with its result. */
  async call<T = unknown>(method: string, data?: unknown): Promise<T> {
    const { payload } = await this.#core.request('call', { method, payload: payloadOf(data) });
    return (payload && readPayload(payload)) as T;
  }

  /** Asks the gateway what it knows of this session. */
  status(): Promise<ServerKinds['status']> {
    return this.#core.request('status', {});
  }

  /** The status of the client, without a question to the gateway. */
  getStatus(): ClientStatus {
    const { lastChange, greeting, transports, connectedAtMs, clock, subscriptions, queue } = this.#core;
    const { previous, ...now } = lastChange;
    return {
      ...now,
      transport: transports.current,
      session: greeting?.session,
      user: greeting?.user,
      connectedAtMs,
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
    return this.#core.emitter.on(event, listener);
  }

  off<K extends keyof ClientEvents>(event: K, listener: (...args: ClientEvents[K]) => void): void {
    this.#core.emitter.off(event, listener);
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
