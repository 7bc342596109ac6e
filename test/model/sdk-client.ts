import type { Client } from '../../src/client/client.ts';
import { inquiring, refreshing } from '../../src/client/core.ts';
import { SluiceClient } from '../../src/client/index.ts';
import type { Published } from '../../src/client/offline-queue.ts';
import { PageClient, type PageSubscribeOptions } from '../../src/client/page/index.ts';
import { extras } from '../../src/client/subscriptions/extras.ts';
import type { SubscribeOptions } from '../../src/client/subscriptions/subscribe-options.ts';
import { AppSubscription } from './app-subscription.ts';
import { type Browser, Tab } from './browser.ts';
import type { ModelClient, Publishing, Start } from './client.ts';
import { keyOf } from './client.ts';
import type { Gateway } from './gateway.ts';
import { filters, isState, type Model } from './model.ts';
import { type Events, inOrder, type Line, LoopRuntime, type Way, webSocketOf } from './sdk-transports.ts';
import { check, type Spec } from './subscription.ts';

// What it loads when it first needs it takes no time then.
await Promise.all([
  ...[inquiring, refreshing, extras].map((each) => each.load()),
  import('../../src/client/http/open.ts'),
]);

const subscriptionsMax = 6;
/** Less than what tabs wait for in a step, and more than messages between them take. */
const leaderTimeoutMs = 600;
const ways = ['all', 'http', 'poll', 'http'] as const;

/** Who uses it. */
export interface User {
  readonly hasToken: boolean;
  readonly name: string;
  /** Absent: it does not live in a page. */
  readonly browser?: Browser | undefined;
}

/** The SDK itself, on whatever way there is: by WebSocket, and where that is refused by a stream or by polls. */
export class SdkClient implements ModelClient, Way {
  readonly wanted = new Set<never>();
  readonly sessions: Set<string>;
  readonly faults: unknown[] = [];
  /** The payloads of what it published for others. */
  readonly forOthers = new Set<string>();
  /** The page that it is in now. */
  tab: Tab | undefined;
  /** How many times there will be no token. */
  tokenFailures = 0;
  received = 0;
  cutOff = 0;
  ends = 0;
  gateway: Gateway;
  readBytes = Number.POSITIVE_INFINITY;
  readonly lines = new Set<Line>();
  #inListener: (() => void)[] = [];
  readonly #model: Model;
  readonly #runtime: LoopRuntime;
  #client: Client;
  #session = '';
  readonly user: User;
  /** What the application waits for. */
  readonly #promises = new Map<Promise<unknown>, string>();
  #made = 0;
  readonly #subscriptions = new Set<AppSubscription>();
  readonly #idle = new Set<readonly [AppSubscription, SubscribeOptions]>();
  #way = 0;
  #hasAsked = false;

  constructor(model: Model, gateway: Gateway, user: User) {
    this.#model = model;
    this.gateway = gateway;
    this.user = user;
    this.sessions = user.browser?.sessions ?? new Set();
    this.#runtime = new LoopRuntime(this);
    this.#client = this.#make();
  }

  #make(): Client {
    const { browser, hasToken, name } = this.user;
    const options = {
      runtime: this.#runtime,
      WebSocket: webSocketOf(this),
      token: hasToken ? () => this.#token(name) : undefined,
      reconnect: { delaysMs: [200], jitter: 'none' },
    } as const;
    this.tab = browser && new Tab(browser);
    const surroundings = this.tab?.surroundings;
    const client: Client =
      surroundings === undefined
        ? new SluiceClient('ws://gateway/ws', options)
        : new PageClient('ws://gateway/ws', { ...options, surroundings, leaderTimeoutMs });
    client.on('state', () => {
      this.#hasAsked = false;
    });
    client.on('error', (error) => {
      if (/listener_failed|invalid_message|code_unavailable/.test(error.code)) this.faults.push(error);
    });
    return client;
  }

  #token(name: string): string {
    if (this.tokenFailures-- > 0) throw new Error('no token');
    this.tokenFailures = 0;
    return `.${btoa(JSON.stringify({ sub: name }))}.`;
  }

  get events(): Events {
    return this.tab?.events ?? inOrder;
  }

  get session(): string {
    return this.tab === undefined ? this.#session : (this.#client.getStatus().session ?? '');
  }

  /** Equal for those that share a connection. */
  get shares(): string {
    return this.user.hasToken ? this.user.name : '';
  }

  get leads(): boolean {
    return this.#client instanceof PageClient && this.#client.sharing.role === 'leader';
  }

  get open(): Way['open'] {
    return ways[this.#way % ways.length] as Way['open'];
  }

  /** A page may be told by one session what excepts the next one. */
  get transport(): string {
    if (this.tab !== undefined) return 'page';
    return this.#client.getStatus().transport;
  }

  /** Code of the SDK is still loading, which takes no time of the model. */
  get isLoading(): boolean {
    if (this.tab?.isBusy) return true;
    if (this.tab !== undefined && (this.tab.isFrozen || !this.leads)) return false;
    const { state, retryAtMs, transport } = this.#client.getStatus();
    const isTrying = state === 'connecting' || (state === 'reconnecting' && retryAtMs === undefined);
    return isTrying && transport !== 'websocket' && !this.#hasAsked;
  }

  asked(): void {
    this.#hasAsked = true;
  }

  began(session: string): void {
    this.#session = session;
    this.sessions.add(session);
  }

  mayLack(except: string | undefined): boolean {
    return except !== undefined && this.sessions.has(except);
  }

  leave(): void {
    for (const line of [...this.lines]) line.cut();
    this.lines.clear();
  }

  moveTo(gateway: Gateway): void {
    this.leave();
    this.gateway = gateway;
    this.user.browser?.moveTo(gateway);
    this.#runtime.moved();
  }

  connect(): void {
    this.#track('connect', this.#client.connect());
  }

  close(): void {
    this.#client.close();
  }

  /** The user looks at it. */
  wake(): void {
    this.tab?.thaw();
    this.tab?.show(true);
    this.tokenFailures = 0;
  }

  /** Its page is gone, and the user opens another one, which begins with the same subscriptions. */
  renew(): void {
    const specs = Array.from(this.#subscriptions, ({ spec }) => spec);
    for (const line of [...this.lines]) line.cut();
    this.lines.clear();
    this.#promises.clear();
    this.#subscriptions.clear();
    this.#idle.clear();
    this.#inListener = [];
    this.forOthers.clear();
    this.#client = this.#make();
    this.connect();
    this.subscribe(specs, { at: 'end' });
  }

  /** Asks the gateway for something. */
  ask(): void {
    this.#track('history', this.#client.history('a'));
    this.#track('status', this.#client.status());
  }

  #track(name: string, promise: Promise<unknown>): void {
    this.#promises.set(promise, name);
    const settled = () => this.#promises.delete(promise);
    promise.then(settled, settled);
  }

  disconnect(): void {
    this.ends++;
    this.leave();
  }

  /** What is on the way changes. */
  roam(): void {
    this.#way++;
    this.disconnect();
  }

  read(bytes: number): void {
    this.readBytes = bytes;
    for (const line of this.lines) line.read(bytes);
  }

  subscribe(specs: readonly Spec[], start: Start): void {
    for (const spec of specs.slice(0, subscriptionsMax - this.#subscriptions.size)) {
      const donor = this.#equal(spec);
      const options = this.#startOf(spec, start, donor);
      const isAfter = options.cursor !== undefined;
      const made = new AppSubscription(spec, this.#model, this, this.faults);
      this.#begin(made, options, isAfter ? donor : undefined);
    }
  }

  #begin(made: AppSubscription, start: SubscribeOptions, donor?: AppSubscription): void {
    const { target, intervalMs, filter, conflate, keys } = made.spec;
    // Some are painted once per frame.
    const deliver = this.tab !== undefined && this.#made++ % 3 === 0 ? 'frame' : undefined;
    const options: PageSubscribeOptions = {
      intervalMs,
      conflate,
      keys,
      deliver,
      filter: filter === undefined ? undefined : filters[filter]?.filter,
      ...start,
    };
    this.#subscriptions.add(made);
    made.begin(this.#client.subscribe(target, options), options, donor);
  }

  #equal(spec: Spec): AppSubscription | undefined {
    return [...this.#subscriptions].find((each) => keyOf(each.spec) === keyOf(spec));
  }

  #startOf({ target }: Spec, start: Start, donor: AppSubscription | undefined): SubscribeOptions {
    if (start.at === 'last') return { last: start.count };
    if (target.endsWith('*')) return start.at === 'back' ? { cursor: donor?.live?.cursor } : {};
    if (start.at === 'foreign') return { since: { epoch: 'foreign', offset: start.offset } };
    const topic = this.gateway.broker.find(target);
    if (start.at === 'end' || topic === undefined || topic.epoch === '' || isState(target)) return {};
    return { since: { epoch: topic.epoch, offset: Math.max(0, topic.ring.newest - start.count) } };
  }

  unsubscribe(pick: number): void {
    const ended = this.#pick(pick);
    const live = ended?.live;
    if (ended === undefined || live === undefined) return;
    const { position, cursor } = live;
    this.#subscriptions.delete(ended);
    ended.end();
    if (ended.isPattern ? cursor !== undefined : position !== undefined)
      this.#idle.add([ended, ended.isPattern ? { cursor } : { since: position, cursor }]);
  }

  takeUp(pick: number): void {
    const taken = [...this.#idle][pick % Math.max(1, this.#idle.size)];
    if (taken === undefined || this.#subscriptions.size >= subscriptionsMax) return;
    this.#idle.delete(taken);
    const [former, start] = taken;
    this.#begin(new AppSubscription(former.spec, this.#model, this, this.faults), start, former);
  }

  whenHeard(run: () => void): void {
    this.#inListener.push(run);
  }

  heard(): void {
    for (const run of this.#inListener.splice(0)) run();
  }

  publish(
    payload: object,
    { topic, key, tags, ttlMs, timestampMs, removed }: Publishing,
  ): Promise<Published> {
    const text = JSON.stringify(payload);
    this.forOthers.add(text);
    const options = { key, tags, ttlMs, timestampMs, removed, exceptSelf: true };
    const published = this.#client.publish(topic, 'update', payload, options);
    // It does not know whether it was published, and can't tell by an offset that it was its own.
    published.catch(() => this.forOthers.delete(text));
    this.#track('publish', published);
    return published;
  }

  setKeys(pick: number, keys: readonly string[]): void {
    const changed = this.#pick(pick, ({ keys }) => keys !== undefined);
    if (changed === undefined) return;
    changed.spec = { ...changed.spec, keys };
    changed.live?.setKeys(keys);
  }

  #pick(pick: number, isFit: (spec: Spec) => boolean = () => true): AppSubscription | undefined {
    const fit = [...this.#subscriptions].filter(({ spec }) => isFit(spec));
    return fit[pick % Math.max(1, fit.length)];
  }

  topicResets(topic: string): void {
    for (const each of this.#subscriptions) each.topicResets(topic);
  }

  checkSettled(): void {
    const { state, reason } = this.#client.getStatus();
    check(state === 'connected', 'not connected in the end', state, reason, this.open);
    check(this.#promises.size === 0, 'promises that do not settle', [...this.#promises.values()]);
    const { gaps } = this.#client.getStats();
    check(gaps === 0, 'batches that do not follow each other', gaps);
    for (const each of this.#subscriptions) each.checkSettled(this.gateway);
  }
}
