import { SluiceClient } from '../client.ts';
import type { ClientError } from '../client-error.ts';
import type { StateChange } from '../connection/connection.ts';
import type { Greeting } from '../connection/socket-session.ts';
import type { ClientOptions } from '../options.ts';
import type { Runtime } from '../runtime.ts';
import { type ClientStats, type ClientStatus, noStats } from '../status.ts';
import { clientVersion } from '../version.ts';
import { ClientDelegate } from './client-delegate.ts';
import type { Delegate } from './delegate.ts';
import { Host, type HostState } from './host.ts';
import { firstThen, identityOf, namesAnother } from './identity.ts';
import { type ClientEvent, type FromHost, type ToHost, watchClient } from './messages.ts';
import type { PageClientOptions, Sharing } from './page-options.ts';
import { RemoteDelegate } from './remote-delegate.ts';
import type { Surroundings } from './surroundings.ts';
import { Tabs } from './tabs.ts';
import { openWorker, type WorkerScope } from './worker.ts';

export interface PageHolderParts {
  readonly url: string;
  readonly options: PageClientOptions;
  readonly runtime: Runtime;
  readonly surroundings: Surroundings;
}

export interface PageHolderPort {
  /** The delegate has changed; undefined: there is none for now. */
  use(delegate: Delegate | undefined): void;
  /** The page was shown or hidden. */
  attachAll(): void;
  told(told: ClientEvent): void;
  /** Another holder has told the state of its connection. */
  welcomed(greeting: Greeting | undefined, change: StateChange): void;
  /** An attempt to connect has failed. */
  failed(error: ClientError): void;
  report(error: ClientError): void;
  /** The state of the connection, for the pages that this one serves. */
  connected(): HostState;
}

/** Who holds the connection for this page now. */
type Holder =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'own';
      readonly client: SluiceClient;
      readonly delegate: Delegate;
      readonly stop: () => void;
    }
  | { readonly kind: 'remote'; readonly delegate: RemoteDelegate; readonly post: (message: ToHost) => void };

const none: Holder = { kind: 'none' };

type TokenSource = Extract<ClientOptions['token'], () => unknown>;
type LocksOfPage = NonNullable<Surroundings['locks']>;

/** Finds out who holds the page's connection (the page itself, another tab or a worker) and makes it the delegate. */
export class PageHolder {
  #holder: Holder = none;
  #tabs: Tabs | undefined;
  #sharing: Sharing = { role: 'undecided' };
  #isStarted = false;
  #isAway = false;
  /** Incremented whenever the page enters or leaves, so that what was begun before can be dropped. */
  #run = 0;
  /** Of what this page has asked its holders for. */
  #lastId = 0;
  #remoteStatus: (FromHost & { kind: 'status' | 'pong' }) | undefined;
  #stopWatching: (() => void) | undefined;
  /** Asks for a token of this tab's own; absent: it shares by an identity that does not change. */
  #renew: (() => void) | undefined;
  readonly #parts: PageHolderParts;
  readonly #port: PageHolderPort;

  constructor(parts: PageHolderParts, port: PageHolderPort) {
    this.#parts = parts;
    this.#port = port;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  get sharing(): Sharing {
    return this.#sharing;
  }

  /** Undefined: the holder is not known yet. */
  get delegate(): Delegate | undefined {
    return this.#holder.kind === 'none' ? undefined : this.#holder.delegate;
  }

  /** The page itself holds the client. */
  get isOwn(): boolean {
    return this.#holder.kind === 'own';
  }

  get status(): ClientStatus | undefined {
    return this.#holder.kind === 'own' ? this.#holder.client.getStatus() : this.#remoteStatus?.status;
  }

  get stats(): ClientStats {
    return this.#holder.kind === 'own'
      ? this.#holder.client.getStats()
      : (this.#remoteStatus?.stats ?? noStats);
  }

  /** Finds out who holds the connection, and connects. */
  start(): void {
    this.#isStarted = true;
    this.#stopWatching = this.#parts.surroundings.watch(
      () => this.#port.attachAll(),
      () => {
        this.#isAway = true;
        this.#leave();
      },
      () => {
        if (this.#isAway) this.#enter();
      },
    );
    this.#enter();
  }

  /** The client is closed. */
  end(): void {
    this.#isStarted = false;
    this.#stopWatching?.();
    this.#leave();
  }

  #enter(): void {
    this.#isAway = false;
    const run = ++this.#run;
    const { worker, tabs } = this.#parts.options;
    const { locks } = this.#parts.surroundings;
    if (worker) this.#toWorker(worker);
    else if (tabs === 'own') this.#toAlone('not_wanted');
    else if (!locks) this.#toAlone('no_web_locks');
    else this.#share(locks, run);
  }

  /** The page may return: from the browser's cache, or when it is no longer frozen. */
  #leave(): void {
    if (this.#parts.options.worker && this.#holder.kind === 'remote') this.#holder.post({ kind: 'bye' });
    this.#leaveTabs();
  }

  #leaveTabs(): void {
    this.#run++;
    this.#renew = undefined;
    this.#tabs?.close();
    this.#tabs = undefined;
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
    } = this.#parts.options;
    const opening = { url: this.#parts.url, options, token };
    this.#toRemote(openWorker(worker, opening, (message) => this.#received(message)));
    this.#sharing = { role: 'worker' };
  }

  #toAlone(reason: Sharing['reason']): void {
    this.#toOwn(this.#parts.options.token);
    this.#sharing = { role: 'alone', reason };
    this.connect();
  }

  #share(locks: LocksOfPage, run: number): void {
    const { token, identity } = this.#parts.options;
    if (typeof token !== 'function' || identity !== undefined) {
      const ownIdentity = identity ?? identityOf(typeof token === 'string' ? token : '');
      void this.#join(locks, run, token, ownIdentity);
      return;
    }
    // The first token says with whom to share. A client without one asks again, and reports why it can't connect.
    this.#toOwn(async () => {
      const first = await token();
      return run === this.#run ? this.#shareAs(first, token, locks) : first;
    });
    this.connect();
  }

  /**
   * Shares with the tabs of the user whom this token names, until a later one of this tab names another. Asks for one
   * whenever the tab that leads does. The result is for a client that is closed by now.
   */
  #shareAs(first: string, token: TokenSource, locks: LocksOfPage): Promise<never> {
    this.#leaveTabs();
    const run = this.#run;
    const identity = identityOf(first ?? '');
    const ask = async (source: TokenSource): Promise<string> => {
      const next = await source();
      const isOther = run === this.#run && namesAnother(identity, next);
      return isOther ? this.#shareAs(next, token, locks) : next;
    };
    this.#renew = () => void ask(token).catch(() => undefined);
    const source = firstThen(first, token);
    const ofLeader = async (): Promise<string> => {
      const next = await ask(source);
      this.#tabs?.tellAll({ kind: 'renewed' });
      return next;
    };
    void this.#join(locks, run, ofLeader, identity);
    return new Promise(() => undefined);
  }

  /** Shares with the tabs of this identity. */
  async #join(
    locks: LocksOfPage,
    run: number,
    token: ClientOptions['token'],
    identity: string,
  ): Promise<void> {
    const { url, options, runtime, surroundings } = this.#parts;
    // A tab that was opened before a deployment may have another version, whose messages are others.
    const name = `sluice/${await surroundings.digest(JSON.stringify([clientVersion, url, identity]))}`;
    if (run !== this.#run) return;
    this.#tabs = new Tabs(
      { name, leaderTimeoutMs: options.leaderTimeoutMs ?? 6_000 },
      { locks, openChannel: surroundings.openChannel, runtime },
      {
        lead: () => {
          this.#toOwn(token);
          this.#sharing = { role: 'leader' };
          this.connect();
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
    const client = new SluiceClient(this.#parts.url, { ...this.#parts.options, token });
    const stop = watchClient(client, (told) => {
      this.#port.told(told);
      this.#tabs?.tellAll({ kind: 'told', told });
    });
    this.#use({ kind: 'own', client, delegate: new ClientDelegate(client, this.#parts.runtime), stop });
  }

  #toRemote(post: (message: ToHost) => void): void {
    this.#leaveHolder();
    this.#sharing = { role: 'follower' };
    this.#use({ kind: 'remote', delegate: new RemoteDelegate(post, () => ++this.#lastId), post });
    post({ kind: 'hello' });
    post({ kind: 'connect' });
  }

  #toNone(): void {
    this.#leaveHolder();
    this.#sharing = { role: 'undecided' };
    this.#use(none);
  }

  /** Subscriptions keep their positions, and calls without a reply are repeated with the next holder. */
  #leaveHolder(): void {
    const holder = this.#holder;
    // Attachments end before the client does, so that their positions are the newest.
    this.#port.use(undefined);
    this.#holder = none;
    if (holder.kind !== 'own') return;
    holder.stop();
    holder.client.close();
  }

  #use(holder: Holder): void {
    this.#holder = holder;
    this.#remoteStatus = undefined;
    this.#port.use(this.delegate);
  }

  connect(): void {
    const holder = this.#holder;
    if (holder.kind === 'remote') holder.post({ kind: 'connect' });
    if (holder.kind !== 'own') return;
    holder.client.connect().catch((error: ClientError) => {
      if (this.#holder === holder) this.#port.failed(error);
    });
  }

  #hostFor(post: (message: FromHost) => void): Host {
    const holder = this.#holder;
    if (holder.kind !== 'own') throw new TypeError('Only a tab that holds the client serves others.');
    return new Host(holder.client, this.#parts.runtime, () => this.#port.connected(), post);
  }

  #received(message: FromHost): void {
    const holder = this.#holder;
    if (holder.kind !== 'remote') return;
    switch (message.kind) {
      case 'welcome':
        this.#port.welcomed(message.greeting, message.change);
        break;
      case 'told':
        this.#port.told(message.told);
        break;
      case 'renewed':
        this.#renew?.();
        break;
      case 'unconnected':
        this.#port.failed(message.error);
        break;
      case 'pong':
      case 'status':
        this.#remoteStatus = message;
        break;
      default:
        holder.delegate.receive(message);
    }
  }
}
