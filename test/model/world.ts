import { createHash } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { whenDone } from '../../src/awaitable.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import { utf8 } from '../../src/protocol/utf8.ts';
import type { AppendOutcome, EngineFeed } from '../../src/topics/engine.ts';
import type { StoredPublication } from '../../src/topics/publication.ts';
import { codecs } from '../support/codecs.ts';
import { Browser, type Tab } from './browser.ts';
import { Client, type ModelClient } from './client.ts';
import { type ModelEngine, NodeEngine, ScriptedEngine } from './engine.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';
import { promises } from './loop.ts';
import { Machine } from './machine.ts';
import { heardOf, isState, Model, type Numbering } from './model.ts';
import { SdkClient } from './sdk-client.ts';
import { LogNode, SharedLog } from './shared-log.ts';
import { StreamClient, type StreamTransport } from './stream-client.ts';
import { check, type ModelSubscription } from './subscription.ts';

export type Fields = Partial<PublishFields> & Pick<PublishFields, 'topic'> & { readonly size: number };

/** The same in every publication, and nothing that deflate alone would make smaller. */
const noise = createHash('shake256', { outputLength: 300 }).update('').digest('base64');

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
  readonly options: GatewayOptions;
  readonly clients: readonly ModelClient[];
  readonly gateways: Gateway[];
  readonly elsewhere: Elsewhere | undefined;
  readonly browser: Browser | undefined;
  readonly #transports: Transports;
  readonly #isShared: boolean;
  readonly #engine: () => ModelEngine;
  /** Publishes without an outcome yet. */
  readonly #underWay = new Map<object, Gateway>();
  /** Of what was published by a client that sends it itself. */
  readonly #publishers = new Map<number, object>();
  readonly #outcomes = new Map<number, AppendOutcome>();
  /** The engine has refused what it may have been asked again for: that comes after what was published later. */
  hasFailed = false;
  #log: SharedLog | undefined;
  #machine = new Machine(1_000_000);
  #published = 0;

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

  /** Each publication is known by the number in its payload. */
  publish(publications: readonly Fields[]): void {
    const gateway = this.node(this.#published);
    const numbers = publications.map(() => this.#published++);
    const publishes = publications.map(({ size, ...fields }, i): PublishFields => {
      const bytes = utf8(JSON.stringify(payloadOf(numbers[i] as number, size)));
      return publishOf({ ...fields, type: 'update', payload: { format: 'json', bytes } });
    });
    const publish = {};
    this.#underWay.set(publish, gateway);
    void whenDone(gateway.broker.publish(publishes), (outcomes) => {
      this.#underWay.delete(publish);
      // The process has ended: no publisher hears of it.
      if (!this.gateways.includes(gateway)) return;
      for (const [i, outcome] of outcomes.entries()) this.#outcomes.set(numbers[i] as number, outcome);
    });
  }

  /** A client publishes it, for all but itself. */
  publishBy(pick: number, { size, ...fields }: Fields): void {
    const client = this.client(pick);
    if (client.publish === undefined) {
      this.publish([{ ...fields, size, ...(client.session !== '' && { except: client.session }) }]);
      return;
    }
    const n = this.#published++;
    this.#publishers.set(n, client instanceof SdkClient ? (client.tab ?? client) : client);
    void client.publish(payloadOf(n, size), fields).then(
      (position) => this.#outcomes.set(n, { ok: true, ...position }),
      // It may have been committed all the same.
      () => undefined,
    );
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
    this.#checkPublished();
    this.#checkExpiries();
    this.#checkDeliveries();
    if (this.#isShared) for (const gateway of this.gateways) gateway.kill();
  }

  /** What is elsewhere takes real time: all publishes have their outcome, and all nodes have heard of them. */
  async #heard(): Promise<void> {
    if (!this.#isShared) return;
    const isWaiting = () => [...this.#underWay.values()].some((gateway) => this.gateways.includes(gateway));
    while (isWaiting() || this.gateways.some(({ broker }) => broker.degradedBy !== undefined)) {
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
      const right = known === undefined || known.epoch === '' || isOld ? undefined : known.position;
      // A cursor may cover what needed not be sent.
      const nowMs = gateway.loop.nowMs();
      if (right !== undefined && this.#transports !== 'websocket') {
        check(
          subscription.lacking(topic, right, nowMs) === undefined,
          'not up to date',
          subscription.spec,
          topic,
        );
        if (isState(topic) && position !== undefined) subscription.checkMap(topic, nowMs);
        continue;
      }
      check(
        right === undefined || (position?.epoch === right.epoch && position.offset === right.offset),
        'not up to date',
        subscription.spec,
        topic,
        position,
        right,
      );
      if (right !== undefined && isState(topic)) subscription.checkMap(topic, nowMs);
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

  /** Acknowledged means committed, once by each engine; refused means never. */
  #checkPublished(): void {
    const committed = new Map<number, Set<string>>();
    for (const numbering of this.#numberings()) {
      const newest = new Map<object, number>();
      for (const each of heardOf(numbering)) {
        const n = numberOf(each.payload.bytes);
        if (n === undefined) continue;
        const places = committed.get(n) ?? new Set();
        committed.set(n, places);
        // An engine that begins a new numbering of what it has does not commit it again.
        places.add(`${numbering.engine} ${each.offset} ${each.seq}`);
        const publisher = this.#publishers.get(n);
        if (publisher === undefined || this.hasFailed) continue;
        const before = newest.get(publisher) ?? -1;
        check(before < n, 'not in the order of its publisher', before, n);
        newest.set(publisher, n);
      }
    }
    for (const [n, outcome] of this.#outcomes) {
      // What a node had asked for when it lost its connection may have been done.
      if (!outcome.ok && this.#isShared) continue;
      check(committed.has(n) === outcome.ok, 'committed though refused, or the reverse', n, outcome);
    }
    for (const [n, places] of committed) {
      const engines = [...places].map((place) => place.split(' ')[0]);
      check(new Set(engines).size === engines.length, 'committed more than once', n, [...places]);
    }
  }

  /** What was not published is the removal of a value that was the newest of its key and had expired. */
  #checkExpiries(): void {
    for (const numbering of this.#numberings()) {
      const { epoch } = numbering;
      const newest = new Map<string, StoredPublication>();
      for (const publication of heardOf(numbering)) {
        const { key = '', topic, payload, publishedAtMs } = publication;
        const before = newest.get(key);
        newest.set(key, publication);
        if (numberOf(payload.bytes) !== undefined) continue;
        // Where some were not heard of, it is not known what there was.
        if (before === undefined && heardOf(numbering).length < numbering.publications.length) continue;
        const isDue = before !== undefined && before.removed !== true && before.expiresAtMs <= publishedAtMs;
        check(isDue, 'removed, though it had not expired', topic, epoch, publication, before);
      }
    }
  }

  *#numberings(): Iterable<Numbering> {
    for (const topic of this.model.topics()) yield* this.model.numberings(topic);
  }

  #checkDeliveries(): void {
    let received = 0;
    let cutOff = 0;
    for (const client of this.clients) {
      received += client.received;
      cutOff += client.cutOff;
    }
    if (this.#isShared) return;
    const { deliveries } = this.gateway;
    const waiting = [...this.gateway.network.sockets].reduce((sum, socket) => sum + socket.unread.length, 0);
    if (waiting > 0) return;
    // Of a stream that was cut only the client knows what it has had.
    if (this.#transports !== 'websocket') {
      check(
        received <= deliveries || this.clients.some(({ ends }) => ends > 0),
        'not counted',
        deliveries,
        received,
      );
      return;
    }
    check(deliveries <= received + cutOff, 'counted as delivered', deliveries, received, cutOff);
    // What a connection had unsent at its end the gateway can only estimate.
    const hasEnded = this.clients.some(({ ends }) => ends > 0);
    check(hasEnded || deliveries === received, 'delivered and not counted', deliveries, received);
  }
}

function isAsleep(client: ModelClient): boolean {
  return client instanceof SdkClient && client.tab?.isFrozen === true;
}

function payloadOf(n: number, size: number): object {
  return { n, pad: noise.slice(0, size) };
}

function numberOf(payload: Uint8Array): number | undefined {
  const value = JSON.parse(Buffer.from(payload).toString()) as { n: number } | null;
  return value?.n;
}
