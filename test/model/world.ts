import { setTimeout as after } from 'node:timers/promises';
import { MemoryEngine } from '../../src/engines/memory.ts';
import type { EngineFeed } from '../../src/topics/engine.ts';
import { codecs } from '../support/codecs.ts';
import { Browser, type Tab } from './browser.ts';
import { Client, type ModelClient } from './client.ts';
import { type ModelEngine, NodeEngine, ScriptedEngine } from './engine.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';
import { promises } from './loop.ts';
import { Machine } from './machine.ts';
import { isState, Model } from './model.ts';
import { type Fields, Published } from './published.ts';
import { SdkClient } from './sdk-client.ts';
import { LogNode, SharedLog } from './shared-log.ts';
import { StreamClient, type StreamTransport } from './stream-client.ts';
import { check, type ModelSubscription } from './subscription.ts';

/**
 * By several streams a client goes on with one cursor. `sdk`: by all of them in turn. `tabs`: the same for clients that
 * are pages of one browser, which draws by this seed.
 */
export type Transports = 'websocket' | 'sdk' | { readonly tabs: number } | readonly StreamTransport[];

/** What nodes share, or keep, if it is not a `SharedLog`. */
export interface Elsewhere {
  engineOf(world: World): ModelEngine;
  /** All connections to it break. */
  cut?(): Promise<unknown>;
  /** It answers nothing for this time. */
  pause?(ms: number): Promise<unknown>;
  /** It loses all that it has, and calls `lost` after the last publication that it had. */
  empty?(lost: () => void): Promise<unknown>;
  /** It ends at once, and begins again with all that it had. */
  restart?(): Promise<unknown>;
}

/** Clients, a gateway, and the model that both are compared with. */
export class World {
  readonly model = new Model();
  readonly published: Published;
  readonly options: GatewayOptions;
  readonly clients: readonly ModelClient[];
  readonly gateways: Gateway[];
  readonly elsewhere: Elsewhere | undefined;
  readonly browser: Browser | undefined;
  readonly #transports: Transports;
  readonly #isShared: boolean;
  readonly #engine: () => ModelEngine;
  #log: SharedLog | undefined;
  #machine = new Machine(1_000_000);

  /**
   * `nodes`: the number of gateways that share a log, or what is `elsewhere`, which outlives them; 0: one with a memory
   * of its own.
   */
  constructor(
    options: GatewayOptions,
    transports: Transports = 'websocket',
    nodes = 0,
    elsewhere?: Elsewhere,
  ) {
    this.options = options;
    this.#transports = transports;
    this.#isShared = nodes > 0;
    this.published = new Published(this.model, this.#isShared);
    const ownEngine = () => (this.#isShared ? this.#logEngine() : this.#aloneEngine());
    this.elsewhere = elsewhere;
    this.#engine = elsewhere === undefined ? ownEngine : () => elsewhere.engineOf(this);
    if (nodes > 0) {
      this.model.engines++;
      this.model.showsOldValues = true;
    }
    this.gateways = Array.from({ length: Math.max(1, nodes) }, () => this.#start());
    const seed = typeof transports === 'object' && 'tabs' in transports ? transports.tabs : undefined;
    this.browser = seed === undefined ? undefined : new Browser(this.gateway, seed);
    this.clients = [codecs.protobuf, codecs.json, codecs.protobuf, codecs.json].map((codec, i) => {
      const gateway = this.gateways[i % this.gateways.length] as Gateway;
      if (transports === 'websocket') return new Client(codec, this.model, gateway);
      if (Array.isArray(transports)) return new StreamClient(this.model, gateway, transports);
      const hasToken = options.tokensMs !== undefined;
      return new SdkClient(this.model, gateway, { name: i < 3 ? 'u' : 'v', hasToken, browser: this.browser });
    });
    if (nodes === 0) for (const client of this.clients) client.connect();
  }

  /** Nodes have to be connected to their log first. */
  async open(): Promise<void> {
    for (const { opened } of this.gateways) await opened;
    for (const client of this.clients) client.connect();
  }

  /** Milliseconds since 1970, on the clock of all gateways. */
  readonly nowMs = (): number => this.#machine.loop.nowMs();

  get gateway(): Gateway {
    return this.gateways[0] as Gateway;
  }

  /** One of the gateways that share a log. */
  node(pick: number): Gateway {
    return this.gateways[pick % this.gateways.length] as Gateway;
  }

  /** One that does something. */
  client(pick: number): ModelClient {
    const awake = this.clients.filter((each) => !isAsleep(each));
    return awake[pick % awake.length] as ModelClient;
  }

  /** One that is the page of a tab, which may be frozen. */
  page(pick: number): { readonly client: SdkClient; readonly tab: Tab } {
    const client = this.clients[pick % this.clients.length] as SdkClient;
    return { client, tab: client.tab as Tab };
  }

  /** Others do something, where this one does nothing. */
  mayFreeze(pick: number): boolean {
    const { client } = this.page(pick);
    return this.clients.some((each) => each !== client && !isAsleep(each));
  }

  /** At most one awake tab of a user holds a connection. */
  checkLeaders(): void {
    const leaders = this.clients.filter(
      (each) => each instanceof SdkClient && each.leads && !isAsleep(each) && each.tab?.isBusy === false,
    ) as SdkClient[];
    const names = leaders.map(({ user }) => user.name);
    check(new Set(names).size === names.length, 'several tabs that lead', names);
  }

  publish(publications: readonly Fields[]): void {
    const gateway = this.node(this.published.count);
    // Where the process has ended, no publisher hears of it.
    this.published.publish(gateway, publications, () => this.gateways.includes(gateway));
  }

  /** A client publishes it, for all but itself. */
  publishBy(pick: number, fields: Fields): void {
    const client = this.client(pick);
    if (client.publish !== undefined) this.published.publishBy(client, fields);
    else this.publish([{ ...fields, ...(client.session !== '' && { except: client.session }) }]);
  }

  /** The engine may have gone back in time. */
  reset(topic: string, base: number): void {
    const known = this.gateway.broker.find(topic);
    if (known?.holdsContent !== true) return;
    for (const client of this.clients) client.topicResets?.(topic);
    this.gateway.engine.reset(topic, base);
  }

  /** The process ends; another one begins with nothing. */
  async restart(): Promise<void> {
    this.#checkDeliveries();
    const { gateway } = this;
    this.#machine = new Machine(gateway.loop.nowMs());
    this.gateways[0] = this.#start();
    gateway.kill();
    for (const client of this.clients) {
      client.moveTo(this.gateway);
      client.received = 0;
      client.cutOff = 0;
      client.ends = 0;
    }
    for (const client of this.clients) if (!isAsleep(client)) client.connect();
  }

  /** What nodes share loses all that it has. */
  async empty(): Promise<void> {
    const lost = () => {
      this.model.engines++;
    };
    if (this.elsewhere?.empty !== undefined) await this.elsewhere.empty(lost);
    else lost();
    this.#log?.empty();
  }

  /** What nodes share ends, and begins again with all that it had. All that hear of it are cut off meanwhile. */
  async restartElsewhere(): Promise<void> {
    this.published.mayBeUnheard = true;
    await this.elsewhere?.restart?.();
  }

  /** The process of a node ends; another one takes its place. */
  async restartNode(pick: number): Promise<void> {
    const former = this.node(pick);
    const clients = this.clients.filter(({ gateway }) => gateway === former);
    const gateway = this.#start();
    this.gateways[this.gateways.indexOf(former)] = gateway;
    former.kill();
    await gateway.opened;
    for (const client of clients) client.moveTo(gateway);
    for (const client of clients) client.connect();
  }

  /** A client goes to another node. */
  move(pick: number): void {
    const client = this.client(pick);
    client.leave();
    client.moveTo(this.node(this.gateways.indexOf(client.gateway) + 1));
    client.connect();
  }

  /** Everybody reads, the engine works, time goes by: then nothing may be missing. */
  async settle(): Promise<void> {
    for (const { engine } of this.gateways) {
      engine.isSlow = false;
      engine.failures = 0;
      if (engine instanceof ScriptedEngine) engine.refusals = 0;
      engine.commitAll();
      if (engine instanceof NodeEngine) await engine.node.recover();
    }
    for (const client of this.clients) {
      if (client instanceof SdkClient) client.wake();
      client.read(Number.POSITIVE_INFINITY);
    }
    await this.#heard();
    await this.#pass(3);
    for (const client of this.clients) client.connect();
    await this.#heard();
    await this.#pass(24);
    await this.#heard();
    await this.#pass(1);
    for (const { faults = [] } of [...this.gateways, ...this.clients])
      check(faults.length === 0, 'a fault', faults.map(String));
    for (const client of this.clients) client.checkSettled?.();
    for (const { wanted, gateway } of this.clients)
      for (const subscription of wanted) this.#checkSettled(subscription, gateway);
    if (this.browser !== undefined) this.#checkShared();
    this.#checkLevel();
    this.published.check();
    this.#checkDeliveries();
    if (this.#isShared) for (const gateway of this.gateways) gateway.kill();
  }

  /** What is elsewhere takes real time: all publishes have their outcome, and all nodes have heard of them. */
  async #heard(): Promise<void> {
    if (!this.#isShared) return;
    while (
      this.published.isWaiting(this.gateways) ||
      this.gateways.some(({ broker }) => broker.degradedBy !== undefined)
    ) {
      await this.gateway.advance(10);
      await promises();
    }
    for (const { broker } of this.gateways) await broker.commits.hearNewest();
  }

  async #pass(seconds: number): Promise<void> {
    await this.gateway.quiet();
    for (let second = 0; second < seconds; second++) {
      // What is elsewhere takes real time.
      if (this.elsewhere !== undefined) await after(2);
      await this.gateway.advance(1000);
      await this.gateway.quiet();
    }
  }

  readonly #committed: EngineFeed['appended'] = (topic, epoch, publications) =>
    this.model.committed(topic, epoch, publications);

  #start(): Gateway {
    this.#machine.loop.waitsFor = () => this.clients.some(({ isLoading }) => isLoading === true);
    return new Gateway(this.options, this.#machine, this.#engine());
  }

  #logEngine(): ModelEngine {
    const { topicHistoryMaxPublications: keptMax, numberingsMax } = this.options;
    const { nowMs } = this;
    this.#log ??= new SharedLog({ keptMax, numberingsMax, nowMs, isState, committed: this.#committed });
    return new NodeEngine(new LogNode(this.#log), nowMs);
  }

  #aloneEngine(): ModelEngine {
    const { nowMs } = this;
    this.model.engines++;
    const { numberingsMax } = this.options;
    return new ScriptedEngine(new MemoryEngine({ nowMs, isState, numberingsMax }), this.#committed);
  }

  /** The tabs of each user share one connection. */
  #checkShared(): void {
    this.checkLeaders();
    const users = new Set(this.clients.map((each) => (each instanceof SdkClient ? each.shares : '')));
    const { size } = this.gateway.network.sockets;
    check(size <= users.size, 'more connections than users', size);
  }

  /** All nodes that know a topic know the same. */
  #checkLevel(): void {
    for (const topic of this.model.topics()) {
      const known = this.gateways.flatMap(({ broker }) => broker.find(topic)?.position ?? []);
      const positions = new Set(
        known.filter(({ epoch }) => epoch !== '').map((each) => JSON.stringify(each)),
      );
      check(positions.size <= 1, 'nodes that differ', topic, [...positions]);
    }
  }

  #checkSettled(subscription: ModelSubscription, gateway: Gateway): void {
    const { target } = subscription.spec;
    check(subscription.view !== undefined, 'not subscribed in the end', subscription.spec);
    for (const topic of this.#topicsOf(target)) {
      this.#checkGone(subscription, topic, gateway);
      const position = subscription.positions.get(topic);
      const known = gateway.broker.find(topic);
      const after = known !== undefined && position?.epoch === known.epoch ? position.offset : 0;
      const isOld = this.model
        .range(topic, known?.epoch ?? '', after, Number.POSITIVE_INFINITY)
        .every(({ seq }) => seq <= subscription.joinedSeq);
      if (known === undefined || known.epoch === '' || isOld) continue;
      const right = known.position;
      const nowMs = gateway.loop.nowMs();
      // A cursor may cover what needed not be sent.
      const isUpToDate =
        this.#transports === 'websocket'
          ? position?.epoch === right.epoch && position.offset === right.offset
          : subscription.lacking(topic, right, nowMs) === undefined;
      check(isUpToDate, 'not up to date', subscription.spec, topic, position, right);
      if (isState(topic) && position !== undefined) subscription.checkMap(topic, nowMs);
    }
  }

  /** What a topic held that is gone by now came, or was named. */
  #checkGone(subscription: ModelSubscription, topic: string, { broker, loop }: Gateway): void {
    const gone = broker.find(topic) === undefined ? broker.commits.numbering(topic) : undefined;
    if (gone === undefined) return;
    const fault = subscription.lacking(topic, gone, loop.nowMs(), subscription.joinedSeq);
    check(fault === undefined, `gone, and ${fault}`, subscription.spec, topic, gone);
  }

  #topicsOf(target: string): string[] {
    if (!target.endsWith('*')) return [target];
    return [...this.model.topics()].filter(
      (topic) => topic.startsWith(target.slice(0, -1)) && !topic.startsWith('$'),
    );
  }

  #checkDeliveries(): void {
    // A client of the SDK does not count what comes.
    if (this.#isShared || this.clients.some((client) => client instanceof SdkClient)) return;
    const sum = (each: (client: ModelClient) => number) =>
      this.clients.reduce((total, client) => total + each(client), 0);
    const received = sum((client) => client.received);
    const cutOff = sum((client) => client.cutOff);
    const { deliveries } = this.gateway;
    const waiting = [...this.gateway.network.sockets].reduce((sum, socket) => sum + socket.unread.length, 0);
    if (waiting > 0) return;
    const hasEnded = this.clients.some(({ ends }) => ends > 0);
    // Of a stream that was cut only the client knows what it has had.
    if (this.#transports !== 'websocket') {
      check(hasEnded || received <= deliveries, 'not counted', deliveries, received);
      return;
    }
    check(deliveries <= received + cutOff, 'counted as delivered', deliveries, received, cutOff);
    // What a connection had unsent at its end the gateway can only estimate.
    check(hasEnded || deliveries === received, 'delivered and not counted', deliveries, received);
  }
}

function isAsleep(client: ModelClient): boolean {
  return client instanceof SdkClient && client.tab?.isFrozen === true;
}
