import { inquiring, refreshing } from '../../src/client/core.ts';
import { SluiceClient } from '../../src/client/index.ts';
import { inflating } from '../../src/client/inflow.ts';
import type { Published } from '../../src/client/offline-queue.ts';
import { extras } from '../../src/client/subscriptions/extras.ts';
import type { SubscribeOptions } from '../../src/client/subscriptions/subscribe-options.ts';
import { AppSubscription } from './app-subscription.ts';
import type { ModelClient, Publishing, Start } from './client.ts';
import { keyOf } from './client.ts';
import type { Gateway } from './gateway.ts';
import { filters, isState, type Model } from './model.ts';
import { type Line, LoopRuntime, type Way, webSocketOf } from './sdk-transports.ts';
import { check, type Spec } from './subscription.ts';

// What it loads when it first needs it takes no time then.
await Promise.all([
  ...[inquiring, refreshing, extras, inflating].map((each) => each.load()),
  import('../../src/client/http/open.ts'),
]);

const subscriptionsMax = 6;
const ways = ['all', 'http', 'poll', 'http'] as const;

/** The SDK itself, on whatever way there is: by WebSocket, and where that is refused by a stream or by polls. */
export class SdkClient implements ModelClient, Way {
  readonly wanted = new Set<never>();
  readonly sessions = new Set<string>();
  readonly faults: unknown[] = [];
  /** The payloads of what it published for others. */
  readonly forOthers = new Set<string>();
  session = '';
  received = 0;
  cutOff = 0;
  ends = 0;
  gateway: Gateway;
  readBytes = Number.POSITIVE_INFINITY;
  readonly lines = new Set<Line>();
  #inListener: (() => void)[] = [];
  readonly #model: Model;
  readonly #runtime: LoopRuntime;
  readonly #client: SluiceClient;
  readonly #subscriptions = new Set<AppSubscription>();
  readonly #idle = new Set<readonly [AppSubscription, SubscribeOptions]>();
  #way = 0;
  #hasAsked = false;

  constructor(model: Model, gateway: Gateway, hasToken: boolean) {
    this.#model = model;
    this.gateway = gateway;
    this.#runtime = new LoopRuntime(this);
    this.#client = new SluiceClient('ws://gateway/ws', {
      runtime: this.#runtime,
      WebSocket: webSocketOf(this),
      token: hasToken ? () => 'token' : undefined,
      reconnect: { delaysMs: [200], jitter: 'none' },
    });
    this.#client.on('state', () => {
      this.#hasAsked = false;
    });
    this.#client.on('error', (error) => {
      if (/listener_failed|invalid_message|code_unavailable/.test(error.code)) this.faults.push(error);
    });
  }

  get open(): Way['open'] {
    return ways[this.#way % ways.length] as Way['open'];
  }

  get transport(): string {
    return this.#client.getStatus().transport;
  }

  /** Code of the SDK is still loading, which takes no time of the model. */
  get isLoading(): boolean {
    const { state, retryAtMs, transport } = this.#client.getStatus();
    const isTrying = state === 'connecting' || (state === 'reconnecting' && retryAtMs === undefined);
    return isTrying && transport !== 'websocket' && !this.#hasAsked;
  }

  asked(): void {
    this.#hasAsked = true;
  }

  began(session: string): void {
    this.session = session;
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
    this.#runtime.moved();
  }

  connect(): void {
    void this.#client.connect();
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
    const options: SubscribeOptions = {
      ...{ intervalMs, conflate, keys },
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
    const { gaps } = this.#client.getStats();
    check(gaps === 0, 'batches that do not follow each other', gaps);
    for (const each of this.#subscriptions) each.checkSettled(this.gateway);
  }
}
