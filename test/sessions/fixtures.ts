import { authorizer } from '../../src/auth/authorize.ts';
import type { Verdict } from '../../src/auth/credentials.ts';
import type { Identity } from '../../src/auth/identity.ts';
import { anonymousIdentity } from '../../src/auth/identity.ts';
import type { NamespaceAccessTable } from '../../src/auth/permissions.ts';
import type { TokenResult } from '../../src/auth/tokens.ts';
import { whenDone } from '../../src/awaitable.ts';
import { PageCache } from '../../src/catch-up/page-cache.ts';
import { type CloseCode, SluiceError } from '../../src/errors.ts';
import type { View } from '../../src/fanout/view.ts';
import type { ClientFrame } from '../../src/protocol/client-frames.ts';
import type { Mode, Position } from '../../src/protocol/frames.ts';
import { namespaceOf } from '../../src/protocol/namespace.ts';
import type { ServerFrame, ServerKind } from '../../src/protocol/server-frames.ts';
import type { TakenSeat } from '../../src/sessions/admission/connection-caps.ts';
import { ConnectionLimits } from '../../src/sessions/admission/connection-limits.ts';
import type { Connection } from '../../src/sessions/connection.ts';
import { type ByteLimits, HeldByPayers, HeldBytes } from '../../src/sessions/limits/charges.ts';
import { TurnBudget } from '../../src/sessions/limits/turn-budget.ts';
import type { Peer } from '../../src/sessions/peer.ts';
import type { Session } from '../../src/sessions/session.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { Subscriber } from '../../src/sessions/subscriptions/subscribe.ts';
import { Inbox } from '../../src/sessions/users/inbox.ts';
import { Presence } from '../../src/sessions/users/presence.ts';
import { decode, type FakeSink, type Hearer, makeWorld, type WorldOptions } from '../fanout/fixtures.ts';
import { readAtOnce } from '../support/arrival.ts';
import type { Codec } from '../support/codecs.ts';
import { codecs } from '../support/codecs.ts';
import { Expander } from '../support/expander.ts';
import { wideLimits } from '../support/wide-limits.ts';

/** A connection whose peer reads at once, unless it is stalled: then bytes pile up, and above the limit are dropped. */
export class FakeConnection implements Connection, Hearer {
  readonly codec: Codec;
  readonly limitBytes: number;
  readonly messages: Uint8Array[] = [];
  /** Of them, those that were sent together. */
  readonly writes: Uint8Array[][] = [];
  readonly joined = new Set<string>();
  session: Session | undefined;
  stalled = false;
  buffered = 0;
  endedWith: CloseCode | 'terminated' | undefined;
  /** A live frame was lost. */
  onDrop: () => void = () => undefined;
  readonly sink: FakeSink;

  constructor(codec: Codec, sink: FakeSink, limitBytes: number) {
    this.codec = codec;
    this.sink = sink;
    this.limitBytes = limitBytes;
  }

  get id(): string | undefined {
    return this.session?.id;
  }

  send(message: Uint8Array): 'sent' | 'dropped' {
    if (this.stalled && this.buffered > this.limitBytes) return 'dropped';
    if (this.stalled) this.buffered += message.length;
    this.messages.push(message);
    return 'sent';
  }

  cork(run: () => void): void {
    const before = this.messages.length;
    run();
    this.writes.push(this.messages.slice(before));
  }

  receive(bytes: Uint8Array): void {
    if (this.send(bytes) === 'dropped') this.onDrop();
  }

  bufferedBytes(): number {
    return this.buffered;
  }

  join({ channel }: View): void {
    this.joined.add(channel);
    const receivers = this.sink.channels.get(channel) ?? new Set();
    this.sink.channels.set(channel, receivers.add(this));
  }

  leave({ channel }: View): void {
    this.joined.delete(channel);
    this.sink.channels.get(channel)?.delete(this);
  }

  end(code: CloseCode): void {
    this.endedWith ??= code;
  }

  terminate(): void {
    this.endedWith ??= 'terminated';
  }

  /** The peer has read everything. */
  drain(): void {
    this.buffered = 0;
    this.session?.pump();
  }

  frames(): ServerFrame[] {
    const expander = new Expander();
    return this.messages.map((message) => expander.take(decode(this.codec, message)));
  }

  of<K extends ServerKind>(kind: K): Extract<ServerFrame, { kind: K }>[] {
    return this.frames().filter((frame): frame is Extract<ServerFrame, { kind: K }> => frame.kind === kind);
  }

  /** The replies to one command. */
  replies(id: number): ServerFrame[] {
    return this.frames().filter((frame) => frame.id === id);
  }

  forget(): void {
    this.messages.length = 0;
  }
}

const namespaces: NamespaceAccessTable = {
  default: { presence: true, anonymous: { subscribe: true, publish: true } },
  closed: { presence: false, anonymous: { subscribe: false, publish: false } },
};

export function user(name: string, more: Partial<Identity> = {}): Identity {
  return { user: name, permissions: [], scopes: [], ...more };
}

/** A connection of one and the same address. Throws where the limits have no place for it. */
export function peerOf(identity: Identity, limits: ConnectionLimits): Peer {
  const addressKey = '192.0.2.1';
  const { user, unauthenticated } = identity;
  const seat = limits.take({ addressKey, user, unauthenticated }) as TakenSeat | SluiceError;
  if (seat instanceof SluiceError) throw seat;
  return { identity, address: addressKey, addressKey, seat };
}

export interface GatewayOptions extends WorldOptions {
  readonly frameMaxBytes?: number;
  readonly commandsPerSecond?: number;
  readonly subscriptionsPerSession?: number;
  readonly backpressureMaxBytes?: number;
  readonly backpressureTotalMaxBytes?: number;
  readonly connectionsMaxPerIp?: number;
  readonly unauthenticatedMaxPerIp?: number;
  readonly connectionsMaxPerUser?: number;
  readonly pageBytes?: number;
  readonly turnBudgetMs?: number;
  readonly presence?: ByteLimits;
  readonly pendingCommands?: ByteLimits;
  /** By default only the namespace `state` has state topics. */
  readonly modeOf?: (topic: string) => Mode;
  readonly backlogs?: ByteLimits;
}

/** Everything between connections and the engine, with a fake event loop, clock, sink and wire. */
export async function makeGateway(options: GatewayOptions = {}) {
  const world = await makeWorld(options);
  const { broker, fanout, turns, sink, counts } = world;
  const { metrics } = counts;
  const faults: unknown[] = [];
  const modeOf = options.modeOf ?? ((topic) => (namespaceOf(topic) === 'state' ? 'state' : 'stream'));
  const monotonicMs = () => turns.nowMs();
  const limitBytes = options.backpressureMaxBytes ?? 1_048_576;
  const connectionLimits = new ConnectionLimits(
    {
      ...wideLimits,
      connectionsMaxPerIp: options.connectionsMaxPerIp ?? 1000,
      unauthenticatedMaxPerIp: options.unauthenticatedMaxPerIp ?? 1000,
      connectionsMaxPerUser: options.connectionsMaxPerUser ?? 20,
    },
    readAtOnce(monotonicMs),
  );
  const presenceHeld = new HeldBytes(options.presence ?? { perPayer: 1e9, total: 1e9 });
  const presence = new Presence({
    fanout,
    isOn: (topic) => !topic.startsWith('closed'),
    nowMs: monotonicMs,
    metrics,
    held: presenceHeld,
  });
  const pendingCommands = new HeldBytes(options.pendingCommands ?? { perPayer: 1e9, total: 1e9 });
  const authorize = authorizer(namespaces);
  const inbox = new Inbox({ broker, fanout, isOn: (topic) => /^(user|orders):/.test(topic) });
  const backlogs = new HeldBytes(options.backlogs ?? { perPayer: 1e9, total: 1e9 });
  const turnBudget = new TurnBudget(turns, options.turnBudgetMs ?? 5);
  const subscriber = new Subscriber({
    broker,
    fanout,
    turnBudget,
    backlogs,
    authorize,
    presence,
    inbox,
    conflates: () => false,
    dictionaries: true,
    modeOf,
    subscriptionsPerSession: options.subscriptionsPerSession ?? 100,
    metrics,
  });
  /** Whose token it is: known at once, or by a promise. */
  const tokens = new Map<string, TokenResult | Promise<TokenResult>>();
  const refused: TokenResult = { ok: false, code: 'unauthorized', message: 'no such token' };
  const limits = {
    frameMaxBytes: options.frameMaxBytes ?? 65_536,
    payloadMaxBytes: 65_536,
    subscriptions: options.subscriptionsPerSession ?? 100,
    commandsPerSecond: options.commandsPerSecond ?? 1000,
    idleTimeoutMs: 60_000,
  };
  const sessions = new Sessions({
    connectionLimits,
    subscriber,
    context: {
      broker,
      fanout,
      catchUp: {
        nowMs: () => broker.nowMs(),
        pageBytes: options.pageBytes ?? 65_536,
        modeOf,
        pages: new PageCache({
          maxBytes: 65_536,
          compressMinBytes: 256,
          metrics,
        }),
        metrics,
      },
      monotonicMs,
      backpressureMaxBytes: limitBytes,
      presence,
      metrics,
      turnBudget,
      turn: {
        isFlooded: false,
        isLong: false,
        get sinceMs() {
          return turns.nowMs();
        },
      },
    },
    commands: {
      broker,
      presence,
      inbox,
      application: {},
      payloadMaxBytes: 65_536,
      refusal: () => undefined,
      identify: (token) =>
        whenDone(
          tokens.get(token) ?? refused,
          (result): Verdict => (result.ok ? result.identity : new SluiceError(result.code, result.message)),
        ),
      authorize,
      metrics,
    },
    limits,
    waitingMessages: new HeldByPayers({ perPayer: 131_072, total: 1_048_576 }),
    pendingCommands,
    workMs: monotonicMs,
    version: '0',
    writeTimeoutMs: 30_000,
    backpressureTotalMaxBytes: options.backpressureTotalMaxBytes ?? 1_000_000_000,
    metrics,
    log: { error: ({ err }) => void faults.push(err) },
    refused: () => undefined,
  });

  /** Frames that were lost in a turn are told at the begin of the next one, as the transport does. */
  const lost = new Map<FakeConnection, Map<object, Position>>();
  sink.onTurn = () => {
    for (const [{ session }, positions] of lost)
      session?.views.lag(positions as Parameters<Session['views']['lag']>[0], positions.size);
    lost.clear();
  };

  const connect = (identity: Identity = anonymousIdentity, codec: Codec = codecs.protobuf) => {
    const connection = new FakeConnection(codec, sink, limitBytes);
    const peer = peerOf(identity, connectionLimits);
    const session = sessions.open(peer, connection);
    connection.session = session;
    connection.onDrop = () => {
      const positions = lost.get(connection) ?? new Map();
      lost.set(connection, positions);
      const frame = sink.frames.at(-1);
      if (frame?.feed === undefined || positions.has(frame.feed)) return;
      positions.set(frame.feed, { epoch: frame.epoch, offset: frame.after });
    };
    const command = (frame: ClientFrame) =>
      sessions.receive(session, codec.encodeClientFrame(frame), codec.binary);
    return { session, connection, command };
  };
  /** Lets promises settle and turns end, until nothing more happens at this time. */
  const settle = async () => {
    for (let i = 0; i < 20; i++) {
      await Promise.resolve();
      turns.settle();
    }
  };
  return {
    ...world,
    sessions,
    subscriber,
    connectionLimits,
    presence,
    presenceHeld,
    pendingCommands,
    backlogs,
    inbox,
    tokens,
    faults,
    connect,
    settle,
    limits,
    turnBudget,
  };
}
