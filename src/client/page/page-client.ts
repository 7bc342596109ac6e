import type { Client, HistoryPage } from '../client.ts';
import { type ClientError, localError } from '../client-error.ts';
import { Arrivals } from '../connection/arrivals.ts';
import type { ClosedBy } from '../connection/close-code.ts';
import type { StateChange } from '../connection/connection.ts';
import type { Greeting } from '../connection/socket-session.ts';
import { Emitter } from '../emitter.ts';
import type { ClientEvents } from '../events.ts';
import type { Published } from '../offline-queue.ts';
import { checkOptions } from '../option-check.ts';
import { absoluteUrl } from '../options.ts';
import { payloadOf, readPayload } from '../payload.ts';
import type { PublishOptions } from '../publication.ts';
import { checkedCommand, checkedPublish, checkedSubscribe } from '../requests.ts';
import { platformRuntime, type Runtime } from '../runtime.ts';
import type { ClientStats, ClientStatus } from '../status.ts';
import type { PublicationListener, Subscription } from '../subscriptions/subscription.ts';
import { Calling } from './calling.ts';
import type { CallName, Calls, Delegate } from './delegate.ts';
import type { ClientEvent } from './messages.ts';
import { PageHolder } from './page-holder.ts';
import type { PageClientOptions, Sharing } from './page-options.ts';
import type { PageSubscribeOptions } from './page-subscription.ts';
import { PageSubscriptions } from './page-subscriptions.ts';
import { pageSurroundings, type Surroundings } from './surroundings.ts';

const idle: StateChange = { state: 'idle', previous: 'idle', attempts: 0 };

/**
 * A client for pages: all tabs share one connection, hidden tabs pause. It has the methods and events of
 * `SluiceClient`; subscriptions and publications go on where they were when another tab takes over the connection.
 */
export class PageClient implements Client {
  #greeting: Greeting | undefined;
  #change: StateChange = idle;
  readonly #events: Emitter<ClientEvents>;
  readonly #arrivals = new Arrivals<Greeting>();
  readonly #calling: Calling;
  readonly #subscriptions: PageSubscriptions;
  readonly #holder: PageHolder;
  readonly #options: PageClientOptions;
  readonly #runtime: Runtime;
  readonly #surroundings: Surroundings;

  /** `url`: `wss://host/ws`, or a path. */
  constructor(url: string, wanted?: PageClientOptions) {
    const options = wanted ?? {};
    checkOptions(options);
    this.#options = options;
    this.#runtime = options.runtime ?? platformRuntime();
    this.#calling = new Calling(this.#runtime);
    this.#surroundings = options.surroundings ?? pageSurroundings();
    this.#events = new Emitter((fault, event) => {
      const error = localError('listener_failed', `listener to ${event} failed`, fault);
      if (event === 'error') console.error(error);
      else this.#report(error);
    });
    this.#subscriptions = new PageSubscriptions({
      report: (error) => this.#report(error),
      nextFrame: (run) => this.#surroundings.nextFrame(run),
      attachAll: () => this.#attach(this.#holder.delegate),
    });
    const parts = { options, runtime: this.#runtime, surroundings: this.#surroundings };
    this.#holder = new PageHolder(
      { url: absoluteUrl(url), ...parts },
      {
        use: (delegate) => {
          this.#attach(delegate);
          this.#calling.use(delegate);
        },
        attachAll: () => this.#attach(this.#holder.delegate),
        told: (told) => this.#told(told),
        welcomed: (greeting, change) => this.#welcomed(greeting, change),
        failed: (error) => this.#arrivals.failed(error),
        report: (error) => this.#report(error),
        connected: () => ({ greeting: this.#greeting, change: this.#change }),
      },
    );
  }

  /** Vue then keeps it as it is: through a proxy of Vue private fields can't be read. */
  protected get __v_skip(): true {
    return true;
  }

  /** Whether this tab shares its connection, and who holds it. */
  get sharing(): Sharing {
    return this.#holder.sharing;
  }

  connect(): Promise<Greeting> {
    if (this.#change.state === 'connected' && this.#greeting) return Promise.resolve(this.#greeting);
    const arrival = this.#arrivals.add();
    this.#subscriptions.clientChanged(undefined);
    if (this.#holder.isStarted) this.#holder.connect();
    else this.#holder.start();
    return arrival;
  }

  /** Ends this tab's part. When it held the connection for others, one of them takes over. */
  close(): void {
    if (!this.#holder.isStarted) return;
    this.#holder.end();
    const previous = this.#change.state;
    this.#arrivals.failed(localError('closed'));
    this.#calling.rejectAll(localError('closed'));
    this.#changed({ state: 'closed', previous, attempts: 0 });
  }

  subscribe<T = unknown>(
    wantedTopic: string,
    wanted?: PageSubscribeOptions | PublicationListener<T>,
    listener?: PublicationListener<T>,
  ): Subscription<T> {
    if (typeof wanted === 'function') return this.subscribe(wantedTopic, {}, wanted);
    const { topic, options } = checkedSubscribe(wantedTopic, wanted ?? {});
    const subscription = this.#subscriptions.add<T>(topic, { ...options, deliver: wanted?.deliver });
    if (listener) subscription.on('publication', listener);
    return subscription;
  }

  async publish(topic: string, type: string, data?: unknown, options?: PublishOptions): Promise<Published> {
    if (this.#change.state === 'closed') throw localError('closed');
    const { topic: name, type: kind, payload, ...fields } = checkedPublish(topic, type, data, options);
    const messageId = fields.messageId ?? this.#newId();
    const plain = readPayload(payload);
    const reply = this.#calling.call('publish', [name, kind, plain, { ...fields, messageId }]);
    return options?.exceptSelf ? this.#subscriptions.withoutSelf(name, reply) : reply;
  }

  async history<T = unknown>(
    topic: string,
    options?: { readonly after?: number | undefined; readonly limit?: number | undefined },
  ): Promise<HistoryPage<T>> {
    const { topic: name, ...page } = checkedCommand('history', { ...options, topic });
    return this.#call('history', [name, page]) as Promise<HistoryPage<T>>;
  }

  async presence(topic: string): ReturnType<Client['presence']> {
    return this.#call('presence', [checkedCommand('presence', { topic }).topic]);
  }

  /** When the tab that holds the connection goes before the answer has come, another one asks again. */
  async call<T = unknown>(method: string, data?: unknown): Promise<T> {
    const plain = readPayload(payloadOf(data));
    return this.#call('call', [checkedCommand('call', { method }).method, plain]) as Promise<T>;
  }

  status(): ReturnType<Client['status']> {
    return this.#call('status', []);
  }

  getStatus(): ClientStatus {
    const { previous, ...now } = this.#change;
    const {
      transport = 'websocket',
      serverOffsetMs = 0,
      queued = 0,
      ...known
    }: Partial<ClientStatus> = this.#holder.status ?? {};
    return {
      ...now,
      transport,
      session: this.#greeting?.session,
      user: this.#greeting?.user,
      connectedAtMs: known.connectedAtMs,
      roundTripMs: known.roundTripMs,
      serverOffsetMs,
      subscriptions: this.#subscriptions.size,
      queued,
    };
  }

  /** Of the connection, whichever tab holds it. */
  getStats(): ClientStats {
    return this.#holder.stats;
  }

  on<K extends keyof ClientEvents>(event: K, listener: (...args: ClientEvents[K]) => void): () => void {
    const off = this.#events.on(event, listener);
    if (event === 'publication') this.#listenToGivenTopics();
    return off;
  }

  off<K extends keyof ClientEvents>(event: K, listener: (...args: ClientEvents[K]) => void): void {
    this.#events.off(event, listener);
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

  // -- what the holder tells --------------------------------------------------------------------------

  #welcomed(greeting: Greeting | undefined, change: StateChange): void {
    this.#greeting = greeting;
    if (change.state !== this.#change.state) this.#changed({ ...change, previous: this.#change.state });
    if (!greeting || change.state !== 'connected') return;
    this.#arrived(greeting);
    this.#events.emit('connect', greeting);
  }

  #told(told: ClientEvent): void {
    if (told[0] === 'state') {
      this.#changed({ ...told[1], previous: this.#change.state });
      return;
    }
    if (told[0] === 'connect') {
      this.#greeting = told[1];
      this.#arrived(told[1]);
    }
    if (told[0] === 'disconnect') this.#greeting = undefined;
    const hasListener = this.#events.emit(...(told as ['error', ClientError]));
    // Where tabs share, the one that holds the client reports what no listener hears.
    if (told[0] === 'error' && !hasListener && this.#holder.isOwn) console.error(told[1]);
  }

  #changed(change: StateChange): void {
    // The next client of this page connects where the last one did.
    if (change.state === 'connecting' && change.previous === change.state) return;
    this.#change = change;
    if (change.state === 'connected' && this.#greeting) this.#arrived(this.#greeting);
    const closedBy = change.state === 'closed' ? (change.error ?? localError('closed')) : undefined;
    if (closedBy) this.#arrivals.failed(closedBy);
    this.#subscriptions.clientChanged(closedBy);
    this.#events.emit('state', change);
  }

  #arrived(greeting: Greeting): void {
    this.#arrivals.arrived(greeting);
    this.#listenToGivenTopics();
  }

  #report(error: ClientError): void {
    if (!this.#events.emit('error', error)) console.error(error);
  }

  /** Where the page is hidden, nothing is attached: what comes meanwhile is fetched when it is shown. */
  #attach(delegate: Delegate | undefined): void {
    const pauses = this.#surroundings.isHidden() && this.#options.whenHidden !== 'continue';
    this.#subscriptions.attach(pauses ? undefined : delegate);
  }

  #listenToGivenTopics(): void {
    if (!this.#greeting || !this.#events.hears('publication')) return;
    this.#subscriptions.listenToGiven(
      this.#greeting,
      (...args) => void this.#events.emit('publication', ...args),
    );
  }

  // -- calls ------------------------------------------------------------------------------------------

  async #call<K extends CallName>(
    name: K,
    args: Parameters<Calls[K]>,
  ): Promise<Awaited<ReturnType<Calls[K]>>> {
    if (this.#change.state === 'closed') throw localError('closed');
    return this.#calling.call(name, args);
  }

  #newId(): string {
    return Array.from({ length: 3 }, () => this.#runtime.random().toString(36).slice(2, 12)).join('');
  }
}
