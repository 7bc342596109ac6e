import { authorizer } from '../../src/auth/authorize.ts';
import { type Identity, localIdentity } from '../../src/auth/identity.ts';
import type { Awaitable } from '../../src/awaitable.ts';
import { PageCache } from '../../src/catch-up/page-cache.ts';
import type { CloseCode } from '../../src/errors.ts';
import { SluiceError } from '../../src/errors.ts';
import { Encoder } from '../../src/fanout/encoder.ts';
import { Fanout } from '../../src/fanout/fanout.ts';
import type { RefreshPlan } from '../../src/fanout/refresher.ts';
import { createMetrics, type Metrics } from '../../src/metrics.ts';
import type { Mode, SubscribeResult, Subscription } from '../../src/protocol/frames.ts';
import { maxUint32 } from '../../src/protocol/integers.ts';
import type { TakenSeat } from '../../src/sessions/admission/connection-caps.ts';
import { ConnectionLimits } from '../../src/sessions/admission/connection-limits.ts';
import type { SubscribeGrant } from '../../src/sessions/application.ts';
import { HeldByPayers, HeldBytes } from '../../src/sessions/limits/charges.ts';
import { TurnBudget } from '../../src/sessions/limits/turn-budget.ts';
import type { Session } from '../../src/sessions/session.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { leaveRefilled } from '../../src/sessions/subscriptions/refills.ts';
import {
  type SubscribeCommand,
  Subscriber,
  type SubscriberOptions,
} from '../../src/sessions/subscriptions/subscribe.ts';
import { endWithUnnamedLoss } from '../../src/sessions/subscriptions/unnamed-loss.ts';
import { Inbox } from '../../src/sessions/users/inbox.ts';
import { Presence } from '../../src/sessions/users/presence.ts';
import { Broker } from '../../src/topics/broker.ts';
import type { TopicOptions } from '../../src/topics/topic.ts';
import type { Poll } from '../../src/transport/uws/poll-connection.ts';
import { RequestTurn } from '../../src/transport/uws/request-turn.ts';
import { UwsSink } from '../../src/transport/uws/sink.ts';
import type { UpgradeHandler } from '../../src/transport/uws/upgrade.ts';
import { WebSockets } from '../../src/transport/uws/websocket.ts';
import { eagerCompression } from '../fanout/fixtures.ts';
import { readAtOnce } from '../support/arrival.ts';
import type { Codec } from '../support/codecs.ts';
import { wideLimits } from '../support/wide-limits.ts';
import type { ModelEngine } from './engine.ts';
import { type Loop, Process } from './loop.ts';
import type { Machine } from './machine.ts';
import { isState } from './model.ts';
import { type Link, Network, type Peer, type Socket } from './network.ts';
import { type Evidence, look } from './prediction.ts';
import type { Reader } from './stream-response.ts';
import { type StreamAsked, Streams } from './streams.ts';

/** What differs from run to run. */
export interface GatewayOptions {
  readonly topicHistoryMaxPublications: number;
  readonly topicHistoryMaxAgeMs: number;
  readonly topicHistoryMaxBytes: number;
  readonly historyMaxBytes: number;
  readonly batchMaxDelayMs: number;
  readonly batchMaxBytes: number;
  readonly batchMaxPublications: number;
  /** 0: state topics are not refreshed. */
  readonly refreshMs: number;
  /** Only what has changed. */
  readonly refreshesChanged: boolean;
  readonly backpressureMaxBytes: number;
  readonly kernelBytes: number;
  readonly isSlowEngine: boolean;
  /** Numberings of topics without content that are kept. */
  readonly numberingsMax: number;
  /** 0: each catch-up waits for a turn of its own. */
  readonly turnBudgetMs: number;
  /** Its clients are devices of one user, to whom `b` is an inbox. */
  readonly hasInbox?: boolean;
  /** Clients have tokens, which expire after this time. */
  readonly tokensMs?: number | undefined;
  /** What a client may send; absent: all. */
  readonly commandsPerSecond?: number | undefined;
  /** As much as it can, with dictionaries that are replaced as often as they can be. */
  readonly compresses: boolean;
}

/** What a gateway takes from its configuration while it runs. */
export type Reloadable = Pick<
  GatewayOptions,
  | 'topicHistoryMaxPublications'
  | 'topicHistoryMaxAgeMs'
  | 'topicHistoryMaxBytes'
  | 'batchMaxDelayMs'
  | 'batchMaxBytes'
  | 'batchMaxPublications'
>;

export const writeTimeoutMs = 30_000;
export const sweepMs = 1000;
const nothing = () => undefined;

function topicOptions(mode: Mode, limits: Reloadable): TopicOptions {
  return {
    mode,
    maxPublications: limits.topicHistoryMaxPublications,
    maxAgeMs: limits.topicHistoryMaxAgeMs,
    maxBytes: limits.topicHistoryMaxBytes,
    ttlMs: undefined,
  };
}

function refreshPlansOf({ refreshMs, refreshesChanged }: GatewayOptions): RefreshPlan[] {
  if (refreshMs === 0) return [];
  return [{ everyMs: refreshMs, onlyChanged: refreshesChanged, includes: () => true }];
}

/**
 * A gateway without sockets and clocks: all of it is real but uWebSockets.js, the event loop and when the engine
 * commits.
 */
export class Gateway {
  readonly loop: Loop;
  /** Resolves when it can be connected to. */
  readonly opened: Promise<void>;
  readonly network: Network;
  readonly engine: ModelEngine;
  readonly broker: Broker;
  readonly sessions: Sessions;
  /** Publications that the gateway says receivers have had. */
  deliveries = 0;
  readonly faults: unknown[] = [];
  readonly #machine: Machine;
  readonly #process: Process;
  readonly #streams: Streams;
  readonly #identity: Identity;
  readonly #connectionLimits: ConnectionLimits;
  readonly #held = new Map<string, Evidence[][]>();
  readonly #limits: { -readonly [Name in keyof Reloadable]: Reloadable[Name] };
  readonly #topics: { readonly [M in Mode]: TopicOptions };

  constructor(options: GatewayOptions, machine: Machine, engine: ModelEngine) {
    const limits = { ...options };
    this.#limits = limits;
    this.#topics = { state: topicOptions('state', limits), stream: topicOptions('stream', limits) };
    this.#machine = machine;
    this.loop = machine.loop;
    const { nowMs: clock } = this.loop;
    this.network = new Network(options, clock);
    machine.networks.add(this.network);
    this.#process = new Process(this.loop);
    this.engine = engine;
    this.engine.isSlow = options.isSlowEngine;
    const metrics: Metrics = {
      ...createMetrics({ processMetrics: false }),
      deliveriesTotal: {
        value: 0,
        inc: (count = 1) => this.#delivered(count),
        retract: (count) => this.#delivered(-count),
      },
    };
    this.broker = new Broker({
      engine: this.engine,
      namespace: (name) => this.#topics[isState(name) ? 'state' : 'stream'],
      metrics,
      payloadMaxBytes: 65_536,
      topicsMax: 1000,
      topicsMaxPerClient: 1000,
      topicsMaxBytesPerClient: 48 * 2 ** 20,
      historyMaxBytes: options.historyMaxBytes,
      historyMaxBytesPerClient: options.historyMaxBytes,
      nowMs: clock,
      monotonicMs: clock,
      wait: this.#process.wait,
    });
    const sink = new UwsSink(this.network.app, metrics);
    const turnBudget = new TurnBudget(this.#process, options.turnBudgetMs);
    const pages = {
      get pageBytes() {
        return Math.min(limits.batchMaxBytes, options.backpressureMaxBytes / 4);
      },
    };
    const fanout = new Fanout({
      broker: this.broker,
      encoder: new Encoder({
        ...(options.compresses ? eagerCompression : { compressMinBytes: 0, dictionaryMinBytes: 0 }),
        nowMs: clock,
        metrics,
      }),
      turns: this.#process,
      metrics,
      batch: () => ({
        maxDelayMs: limits.batchMaxDelayMs,
        maxBytes: limits.batchMaxBytes,
        maxPublications: limits.batchMaxPublications,
      }),
      refresh: Object.assign(pages, { plans: refreshPlansOf(options), budget: turnBudget }),
      viewsPerTopic: 1000,
      viewsMax: 10_000,
    });
    const authorize = authorizer({
      default: { presence: false, anonymous: { subscribe: true, publish: true } },
    });
    this.#identity = { ...localIdentity, ...(options.hasInbox === true && { user: 'u' }) };
    const inbox = new Inbox({ broker: this.broker, fanout, isOn: (topic) => topic === 'b' });
    const presence = new Presence({
      fanout,
      isOn: () => false,
      nowMs: clock,
      metrics,
      held: new HeldBytes({ perPayer: 0, total: 0 }),
    });
    const many = Number.MAX_SAFE_INTEGER;
    this.#connectionLimits = new ConnectionLimits(wideLimits, readAtOnce(clock));
    this.sessions = new Sessions({
      connectionLimits: this.#connectionLimits,
      subscriber: new WatchedSubscriber(this.#held, {
        broker: this.broker,
        fanout,
        authorize,
        presence,
        inbox,
        conflates: () => false,
        dictionaries: options.compresses,
        modeOf: (topic) => (isState(topic) ? 'state' : 'stream'),
        subscriptionsPerSession: 100,
        turnBudget,
        backlogs: new HeldBytes({ perPayer: many, total: many }),
        metrics,
      }),
      context: {
        broker: this.broker,
        fanout,
        presence,
        catchUp: {
          nowMs: clock,
          get pageBytes() {
            return pages.pageBytes;
          },
          modeOf: (topic) => (isState(topic) ? 'state' : 'stream'),
          pages: new PageCache({
            maxBytes: 7000,
            compressMinBytes: options.compresses ? 1 : 0,
            metrics,
            costs: eagerCompression.costs,
          }),
          metrics,
        },
        monotonicMs: clock,
        backpressureMaxBytes: options.backpressureMaxBytes,
        metrics,
        turnBudget,
        turn: new RequestTurn(this.#process),
      },
      commands: {
        broker: this.broker,
        presence,
        inbox,
        application: {},
        payloadMaxBytes: 65_536,
        identify: () => ({
          ...this.#identity,
          expiresAtMs: this.broker.wallMs() + (options.tokensMs ?? 0),
        }),
        refusal: () => undefined,
        authorize,
        metrics,
      },
      limits: {
        frameMaxBytes: 65_536,
        payloadMaxBytes: 65_536,
        subscriptions: 100,
        commandsPerSecond: options.commandsPerSecond ?? maxUint32,
        idleTimeoutMs: 60_000,
      },
      waitingMessages: new HeldByPayers({ perPayer: 131_072, total: 1_048_576 }),
      pendingCommands: new HeldBytes({ perPayer: many, total: many }),
      version: 'test',
      writeTimeoutMs,
      backpressureTotalMaxBytes: many,
      workMs: clock,
      metrics,
      log: { error: ({ err }) => void this.faults.push(err) },
      refused: nothing,
    });
    new WebSockets({
      upgradeHandler: undefined as unknown as UpgradeHandler,
      sessions: this.sessions,
      frameMaxBytes: 65_536,
      idleTimeoutSeconds: 60,
      backpressureMaxBytes: options.backpressureMaxBytes,
      monotonicMs: clock,
      metrics,
      turn: new RequestTurn(this.#process),
      upgraded: nothing,
    }).serve(this.network.app, sink);
    this.#streams = new Streams({
      ...options,
      sessions: this.sessions,
      broker: this.broker,
      connectionLimits: this.#connectionLimits,
      identity: this.#identity,
      loop: this.#process,
      metrics,
      writeTimeoutMs,
    });
    this.opened = this.broker.open({
      appended: (topic, publications) => fanout.appended(topic, publications),
      reset: (topic) => fanout.reset(topic),
      removed: (topic) => fanout.removed(topic),
      refilling: (topic) => leaveRefilled(this.sessions.all(), topic, fanout),
      missed: () => endWithUnnamedLoss(this.sessions, 0),
    });
    this.#sweepLater(fanout);
  }

  connect(codec: Codec, peer: Peer): Socket {
    const seat = this.#connectionLimits.take({ addressKey: 'here' }) as TakenSeat | SluiceError;
    if (seat instanceof SluiceError) throw seat;
    return this.network.open(
      {
        opening: {
          peer: { identity: this.#identity, address: 'here', addressKey: 'here', seat },
          codec,
          topic: undefined,
          startedAtMs: this.loop.nowMs(),
        },
        connection: undefined,
      },
      peer,
    );
  }

  openStream(asked: StreamAsked, reader: Reader): Link {
    const { sockets } = this.network;
    const link: Link = this.#streams.openStream(asked, {
      read: (bytes) => reader.read(bytes),
      closed: () => {
        sockets.delete(link);
        reader.closed();
      },
    });
    sockets.add(link);
    return link;
  }

  /** Returns how the client gives the poll up. */
  poll(asked: StreamAsked, poll: Poll): () => void {
    return this.#streams.poll(asked, poll);
  }

  /** What there was to fulfil each wish from when the session's next subscribe command that was answered was run. */
  heldAtSubscribe(session: string): readonly Evidence[] {
    const held = this.#held.get(session)?.shift();
    if (held === undefined) throw new Error('an answer to what was not asked');
    return held;
  }

  /** Why the gateway ended the session of this socket, if it did. */
  endedBy(socket: Socket): CloseCode | undefined {
    return socket.getUserData().connection?.session?.endedBy;
  }

  turn(): Promise<void> {
    return this.#machine.turn();
  }

  advance(ms: number): Promise<void> {
    return this.#machine.advance(ms);
  }

  quiet(): Promise<void> {
    return this.#machine.quiet();
  }

  /** It reads its configuration again. */
  reload(limits: Partial<Reloadable>): void {
    Object.assign(this.#limits, limits);
    for (const mode of ['state', 'stream'] as const)
      Object.assign(this.#topics[mode], topicOptions(mode, this.#limits));
  }

  /** The process ends at this instant. */
  kill(): void {
    this.#process.end();
    for (const socket of [...this.network.sockets]) socket.close();
    this.#machine.networks.delete(this.network);
    void this.engine.close();
  }

  #delivered(count: number): void {
    this.deliveries += count;
  }

  #sweepLater(fanout: Fanout): void {
    this.#process.after(sweepMs, () => {
      this.broker.sweep();
      fanout.sweep();
      this.sessions.sweep();
      this.#streams.sweep();
      this.#sweepLater(fanout);
    });
  }
}

/** Notes what the rings hold when each subscription begins, which may be some turns after it was said. */
class WatchedSubscriber extends Subscriber {
  readonly #broker: Broker;
  readonly #held: Map<string, Evidence[][]>;

  constructor(held: Map<string, Evidence[][]>, options: SubscriberOptions) {
    super(options);
    this.#broker = options.broker;
    this.#held = held;
  }

  override subscribe(session: Session, ...more: unknown[]): Awaitable<readonly SubscribeResult[]> {
    this.#held.set(session.id, [...(this.#held.get(session.id) ?? []), []]);
    return super.subscribe(session, ...(more as [readonly Subscription[]]));
  }

  protected override begin(
    session: Session,
    subscription: Subscription,
    command: SubscribeCommand,
    verdict: SubscribeGrant | SluiceError | undefined,
  ): SubscribeResult {
    this.#held.get(session.id)?.at(-1)?.push(look(this.#broker, subscription.topic));
    return super.begin(session, subscription, command, verdict);
  }
}
