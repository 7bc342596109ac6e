import { type Client, type HistoryPage, SluiceClient } from '../client.ts';
import { ClientError, localError } from '../client-error.ts';
import { Arrivals } from '../connection/arrivals.ts';
import type { ClosedBy } from '../connection/close-code.ts';
import type { StateChange } from '../connection/connection.ts';
import type { Greeting } from '../connection/socket-session.ts';
import { Emitter } from '../emitter.ts';
import type { ClientEvents } from '../events.ts';
import type { Published } from '../offline-queue.ts';
import { absoluteUrl, type ClientOptions } from '../options.ts';
import { checkedPublish, checkedSubscribe, type PublishOptions } from '../requests.ts';
import { platformRuntime, type Runtime } from '../runtime.ts';
import type { ClientStats, ClientStatus } from '../status.ts';
import type { PublicationListener, Subscription } from '../subscriptions/subscription.ts';
import { Calling } from './calling.ts';
import { emitTold, watchClient } from './client-events.ts';
import { ClientSource } from './client-source.ts';
import { Host } from './host.ts';
import { firstThen, identityOf } from './identity.ts';
import { type FromHost, liveChange, type PlainClientEvent, type ToHost } from './messages.ts';
import type { PageClientOptions, Sharing } from './page-options.ts';
import type { PageSubscribeOptions } from './page-subscription.ts';
import { PageSubscriptions } from './page-subscriptions.ts';
import { RemoteSource } from './remote-source.ts';
import type { CallName, Calls, Source } from './source.ts';
import { pageSurroundings, type Surroundings } from './surroundings.ts';
import { Tabs } from './tabs.ts';
import { openWorker, type WorkerScope } from './worker.ts';

/** What serves this page now. */
type Holder =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'own';
      readonly client: SluiceClient;
      readonly source: Source;
      readonly stop: () => void;
    }
  | { readonly kind: 'remote'; readonly source: RemoteSource; readonly post: (message: ToHost) => void };

const none: Holder = { kind: 'none' };
const idle: StateChange = { state: 'idle', previous: 'idle', attempts: 0 };

/**
 * A client for pages: all tabs share one connection, hidden tabs pause. It has the methods and events of
 * `SluiceClient`; subscriptions and publications go on where they were when another tab takes over the connection.
 */
export class PageClient implements Client {
  #holder: Holder = none;
  #tabs: Tabs | undefined;
  #sharing: Sharing = { role: 'undecided' };
  #isStarted = false;
  /** Grows with each start and end, so that what an earlier one began is noticed. */
  #run = 0;
  #greeting: Greeting | undefined;
  #change: StateChange = idle;
  #remoteStatus: (FromHost & { kind: 'status' | 'pong' }) | undefined;
  #stopWatching: (() => void) | undefined;
  readonly #events: Emitter<ClientEvents>;
  readonly #arrivals = new Arrivals();
  readonly #calling = new Calling();
  readonly #subscriptions: PageSubscriptions;
  readonly #url: string;
  readonly #options: PageClientOptions;
  readonly #runtime: Runtime;
  readonly #surroundings: Surroundings;

  /** `url`: `wss://host/ws`, or a path. */
  constructor(url: string, options: PageClientOptions = {}) {
    this.#url = absoluteUrl(url);
    this.#options = options;
    this.#runtime = options.runtime ?? platformRuntime();
    this.#surroundings = options.surroundings ?? pageSurroundings();
    this.#events = new Emitter((fault, event) => {
      const error = localError('listener_failed', `A listener to ${event} threw.`, fault);
      if (event === 'error') console.error(error);
      else this.#report(error);
    });
    this.#subscriptions = new PageSubscriptions({
      report: (error) => this.#report(error),
      nextFrame: (run) => this.#surroundings.nextFrame(run),
      attachAll: () => this.#attachAll(),
    });
  }

  /** Whether this tab shares its connection, and who holds it. */
  get sharing(): Sharing {
    return this.#sharing;
  }

  connect(): Promise<Greeting> {
    if (this.#change.state === 'connected' && this.#greeting) return Promise.resolve(this.#greeting);
    const arrival = this.#arrivals.add();
    if (this.#isStarted) this.#connectHolder();
    else this.#start();
    return arrival;
  }

  /** Ends this tab's part. When it held the connection for others, one of them takes over. */
  close(): void {
    if (!this.#isStarted) return;
    this.#end();
    const previous = this.#change.state;
    this.#arrivals.failed(localError('closed'));
    this.#calling.rejectAll(localError('closed'));
    this.#changed({ state: 'closed', previous, attempts: 0 });
  }

  subscribe<T = unknown>(
    wantedTopic: string,
    wanted: PageSubscribeOptions = {},
    listener?: PublicationListener<T>,
  ): Subscription<T> {
    const { topic, options } = checkedSubscribe(wantedTopic, wanted);
    const subscription = this.#subscriptions.add<T>(topic, { ...options, deliver: wanted.deliver });
    if (listener) subscription.on('publication', listener);
    return subscription;
  }

  async publish(
    topic: string,
    type: string,
    data?: unknown,
    options: PublishOptions = {},
  ): Promise<Published> {
    if (this.#change.state === 'closed') throw localError('closed');
    const { payload } = checkedPublish(topic, type, data, options);
    // What structured cloning and JSON agree on.
    const plain =
      payload.format === 'binary' ? payload.bytes : JSON.parse(new TextDecoder().decode(payload.bytes));
    const { exceptSelf, messageId = this.#newId(), ...rest } = options;
    const sent = this.#calling.call('publish', [topic, type, plain, { ...rest, messageId }]);
    return exceptSelf ? this.#subscriptions.withoutSelf(topic, sent) : sent;
  }

  history<T = unknown>(
    topic: string,
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<HistoryPage<T>> {
    return this.#call('history', [topic, options]) as Promise<HistoryPage<T>>;
  }

  presence(topic: string): ReturnType<Client['presence']> {
    return this.#call('presence', [topic]);
  }

  status(): ReturnType<Client['status']> {
    return this.#call('status', []);
  }

  getStatus(): ClientStatus {
    const { state, retryAtMs, attempts, error, reason } = this.#change;
    const known = this.#holder.kind === 'own' ? this.#holder.client.getStatus() : this.#remoteStatus?.status;
    return {
      state,
      transport: known?.transport ?? 'websocket',
      session: this.#greeting?.session,
      user: this.#greeting?.user,
      connectedAtMs: known?.connectedAtMs,
      retryAtMs,
      attempts,
      error,
      reason,
      roundTripMs: known?.roundTripMs,
      serverOffsetMs: known?.serverOffsetMs ?? 0,
      subscriptions: this.#subscriptions.size,
      queued: known?.queued ?? 0,
    };
  }

  /** Of the connection, whichever tab holds it. */
  getStats(): ClientStats {
    if (this.#holder.kind === 'own') return this.#holder.client.getStats();
    return this.#remoteStatus?.stats ?? noStats;
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

  // -- who holds the connection -----------------------------------------------------------------------

  #start(): void {
    this.#isStarted = true;
    const run = ++this.#run;
    this.#stopWatching = this.#surroundings.watch(
      () => this.#attachAll(),
      () => this.#end(),
      () => this.#start(),
    );
    const { locks } = this.#surroundings;
    if (this.#options.worker) this.#toWorker(this.#options.worker);
    else if (this.#options.tabs === 'own') this.#toAlone('not_wanted');
    else if (!locks) this.#toAlone('no_web_locks');
    else void this.#share(locks, run);
  }

  /** The page goes away, or the client is closed. */
  #end(): void {
    this.#isStarted = false;
    this.#run++;
    this.#stopWatching?.();
    this.#tabs?.close();
    this.#tabs = undefined;
    if (this.#options.worker && this.#holder.kind === 'remote') this.#holder.post({ kind: 'bye' });
    this.#toNone();
  }

  #toWorker(worker: WorkerScope): void {
    const {
      token,
      WebSocket: _class,
      runtime: _runtime,
      surroundings: _around,
      worker: _worker,
      ...options
    } = this.#options;
    const opening = { url: this.#url, options, token };
    this.#toRemote(openWorker(worker, opening, (message) => this.#received(message)));
    this.#sharing = { role: 'worker' };
  }

  #toAlone(reason: Sharing['reason']): void {
    this.#toOwn(this.#options.token);
    this.#sharing = { role: 'alone', reason };
    this.#connectHolder();
  }

  async #share(locks: NonNullable<Surroundings['locks']>, run: number): Promise<void> {
    const given = this.#options.token;
    let first: string | undefined;
    try {
      first = typeof given === 'function' ? await given() : given;
    } catch (cause) {
      if (run !== this.#run) return;
      // The client asks again, and tells the application why it can't connect.
      this.#report(localError('token_failed', undefined, cause));
    }
    const identity = this.#options.identity ?? (first === undefined ? '' : identityOf(first));
    const name = `sluice/${await this.#surroundings.digest(JSON.stringify([this.#url, identity]))}`;
    if (run !== this.#run) return;
    const token = typeof given === 'function' ? firstThen(first, given) : given;
    const { runtime, ...parts } = { ...this.#surroundings, runtime: this.#runtime, locks };
    const leaderTimeoutMs = this.#options.leaderTimeoutMs ?? 6_000;
    this.#tabs = new Tabs(
      { name, leaderTimeoutMs },
      { ...parts, runtime },
      {
        lead: () => {
          this.#toOwn(token);
          this.#sharing = { role: 'leader' };
          this.#connectHolder();
        },
        hostFor: (post) => this.#hostFor(post),
        follow: (post) => this.#toRemote(post),
        receive: (message) => this.#received(message),
        lost: () => this.#toNone(),
      },
    );
  }

  #toOwn(token: ClientOptions['token']): void {
    this.#leaveHolder();
    const client = new SluiceClient(this.#url, { ...this.#options, token });
    const stop = watchClient(client, (told) => {
      this.#told(told);
      this.#tabs?.tellAll({ kind: 'told', told });
    });
    this.#use({ kind: 'own', client, source: new ClientSource(client), stop });
  }

  #toRemote(post: (message: ToHost) => void): void {
    this.#leaveHolder();
    this.#sharing = { role: 'follower' };
    this.#use({ kind: 'remote', source: new RemoteSource(post), post });
    post({ kind: 'hello' });
    post({ kind: 'connect' });
  }

  #toNone(): void {
    this.#leaveHolder();
    this.#sharing = { role: 'undecided' };
    this.#use(none);
  }

  /** Subscriptions keep their positions, and calls that are out are asked of the next holder. */
  #leaveHolder(): void {
    this.#subscriptions.attach(undefined);
    const holder = this.#holder;
    this.#holder = none;
    this.#calling.use(undefined);
    if (holder.kind !== 'own') return;
    holder.stop();
    holder.client.close();
  }

  #use(holder: Holder): void {
    this.#holder = holder;
    this.#remoteStatus = undefined;
    this.#calling.use(holder.kind === 'none' ? undefined : holder.source);
    this.#attachAll();
  }

  #connectHolder(): void {
    const holder = this.#holder;
    if (holder.kind === 'remote') holder.post({ kind: 'connect' });
    if (holder.kind !== 'own') return;
    holder.client.connect().catch((error: ClientError) => {
      if (this.#holder === holder) this.#arrivals.failed(error);
    });
  }

  #hostFor(post: (message: FromHost) => void): Host {
    const holder = this.#holder;
    if (holder.kind !== 'own') throw new TypeError('Only a tab that holds the client serves others.');
    return new Host(holder.client, () => ({ greeting: this.#greeting, change: this.#change }), post);
  }

  // -- what the holder tells --------------------------------------------------------------------------

  #received(message: FromHost): void {
    const holder = this.#holder;
    if (holder.kind !== 'remote') return;
    switch (message.kind) {
      case 'welcome':
        this.#welcomed(message.greeting, liveChange(message.change));
        break;
      case 'told':
        this.#told(message.told);
        break;
      case 'unconnected':
        this.#arrivals.failed(new ClientError(message.error));
        break;
      case 'pong':
      case 'status':
        this.#remoteStatus = message;
        break;
      default:
        holder.source.receive(message);
    }
  }

  #welcomed(greeting: Greeting | undefined, change: StateChange): void {
    this.#greeting = greeting;
    if (change.state !== this.#change.state) this.#changed({ ...change, previous: this.#change.state });
    if (greeting && change.state === 'connected') this.#events.emit('connect', greeting);
  }

  #told(told: PlainClientEvent): void {
    if (told.event === 'state') {
      this.#changed(liveChange(told.change));
      return;
    }
    if (told.event === 'connect') {
      this.#greeting = told.greeting;
      this.#arrivals.arrived(told.greeting);
      this.#listenToGivenTopics();
    }
    if (told.event === 'disconnect') this.#greeting = undefined;
    const heard = emitTold(this.#events, told);
    // Where tabs share, the one that holds the client reports what no listener hears.
    if (told.event === 'error' && !heard && this.#holder.kind === 'own')
      console.error(new ClientError(told.error));
  }

  #changed(change: StateChange): void {
    this.#change = change;
    if (change.state === 'connected' && this.#greeting) {
      this.#arrivals.arrived(this.#greeting);
      this.#listenToGivenTopics();
    }
    if (change.state === 'closed') this.#arrivals.failed(change.error ?? localError('closed'));
    this.#events.emit('state', change);
  }

  #report(error: ClientError): void {
    if (!this.#events.emit('error', error)) console.error(error);
  }

  /** Where the page is hidden, nothing is attached: what comes meanwhile is fetched when it is shown. */
  #attachAll(): void {
    const { source } = this.#holder as { readonly source?: Source };
    const pauses = this.#surroundings.isHidden() && this.#options.whenHidden !== 'continue';
    this.#subscriptions.attach(pauses ? undefined : source);
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

const noStats: ClientStats = {
  connects: 0,
  disconnects: 0,
  framesReceived: 0,
  bytesReceived: 0,
  framesSent: 0,
  bytesSent: 0,
  publications: 0,
  gaps: 0,
};
