import { type Awaitable, isPending, whenDone } from '../awaitable.ts';
import type { NodeHandlers, OtherNodes } from '../other-nodes.ts';
import { nullPayload } from '../protocol/payload.ts';
import type { Session } from '../sessions/session.ts';
import { codecNameOf, type SystemName } from './systems.ts';

/** The parts of a session that are used here. */
export type CountedSession = Pick<Session, 'codec' | 'messageCount'> & {
  readonly outbox: Pick<Session['outbox'], 'push'>;
  readonly identity: Pick<Session['identity'], 'user'>;
  readonly views: { values(): Iterable<{ readonly target: string; readonly isAutomatic: boolean }> };
};

export interface SystemSessionsOptions {
  readonly systems: readonly SystemName[];
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  /** Interval of pings that are messages of their system. */
  readonly pingMs: number;
  /** Absent: there are none. */
  readonly otherNodes?: Pick<OtherNodes<SystemCalls>, 'ask'> | undefined;
}

/** What nodes ask each other about the older systems. */
export interface SystemCalls {
  /** The statistics of one node. Undefined: it does not serve the system. */
  systemStats(name: SystemName): SystemStats | undefined;
}

/** Statistics of a system's connections. */
export interface SystemStats {
  readonly active: number;
  readonly total: number;
  /** Messages sent to all its connections, including closed ones. */
  readonly messages: number;
  /** The bytes of these messages. */
  readonly bytes: number;
  readonly users: readonly string[];
  /** Topics or patterns, and the number of subscriptions of each, without automatic ones. */
  readonly subscriptions: readonly (readonly [target: string, count: number])[];
}

interface CountedSystem {
  readonly name: SystemName;
  /** When each was sent its last ping. */
  readonly pingedAtMs: Map<CountedSession, number>;
  total: number;
  messagesOfEnded: number;
  bytes: number;
  /** Of this node. */
  readonly own: BriefCache<SystemStats>;
  readonly ofAllNodes: BriefCache<SystemStats>;
}

/** System B has pings that are messages, besides those of WebSocket. */
const pinging: ReadonlySet<SystemName> = new Set(['b']);

/** The sessions of each system, counted apart, so that no system sees those of another. */
export class SystemSessions {
  readonly #options: SystemSessionsOptions;
  readonly #byCodec: ReadonlyMap<string, CountedSystem>;

  constructor(options: SystemSessionsOptions) {
    this.#options = options;
    this.#byCodec = new Map(options.systems.map((name) => [codecNameOf(name), this.#counted(name)]));
  }

  opened(session: CountedSession): void {
    const system = this.#byCodec.get(session.codec.name);
    if (system === undefined) return;
    system.pingedAtMs.set(session, this.#options.monotonicMs());
    system.total++;
  }

  closed(session: CountedSession): void {
    const counted = this.#byCodec.get(session.codec.name);
    if (counted?.pingedAtMs.delete(session)) counted.messagesOfEnded += session.messageCount;
  }

  /** Bytes were sent to clients of the system. */
  sent(name: SystemName, bytes: number): void {
    const counted = this.#byCodec.get(codecNameOf(name));
    if (counted !== undefined) counted.bytes += bytes;
  }

  /** Statistics of a served system, of all nodes. */
  stats(name: SystemName): Awaitable<SystemStats> {
    const counted = this.#byCodec.get(codecNameOf(name));
    if (counted === undefined) throw new Error(`the system ${name} is not served`);
    return counted.ofAllNodes.get();
  }

  /** What this node replies when others ask it. */
  nodeHandlers(): NodeHandlers<SystemCalls> {
    return { systemStats: async (name) => this.#byCodec.get(codecNameOf(name))?.own.get() };
  }

  /** Sends the pings that are due. Call it about once a second. */
  sweep(): void {
    const nowMs = this.#options.monotonicMs();
    for (const { name, pingedAtMs } of this.#byCodec.values()) {
      if (!pinging.has(name)) continue;
      for (const [session, atMs] of pingedAtMs) {
        if (nowMs - atMs < this.#options.pingMs) continue;
        pingedAtMs.set(session, nowMs);
        session.outbox.push({ kind: 'message', type: 'ping', payload: nullPayload });
      }
    }
  }

  #counted(name: SystemName): CountedSystem {
    const { monotonicMs, otherNodes } = this.#options;
    const own = new BriefCache(() => count(system), monotonicMs);
    const ofAllNodes = async (nodes: typeof otherNodes & {}) =>
      together([await own.get(), ...(await nodes.ask('systemStats', name))]);
    const system: CountedSystem = {
      name,
      pingedAtMs: new Map(),
      total: 0,
      messagesOfEnded: 0,
      bytes: 0,
      own,
      ofAllNodes: otherNodes === undefined ? own : new BriefCache(() => ofAllNodes(otherNodes), monotonicMs),
    };
    return system;
  }
}

/** Time for which a value is remembered, in times of what it took to make, and at most. */
const rememberedTimes = 100;
const rememberedMaxMs = 1000;

/** A value that takes a look at every connection. It is made so seldom that this takes a hundredth of the time. */
class BriefCache<T> {
  readonly #make: () => Awaitable<T>;
  readonly #monotonicMs: () => number;
  #value: Awaitable<T> | undefined;
  #untilMs = 0;

  constructor(make: () => Awaitable<T>, monotonicMs: () => number) {
    this.#make = make;
    this.#monotonicMs = monotonicMs;
  }

  get(): Awaitable<T> {
    const nowMs = this.#monotonicMs();
    if (this.#value !== undefined && nowMs < this.#untilMs) return this.#value;
    // A value that is being made is for all who ask meanwhile; a failure is not remembered.
    this.#untilMs = Number.POSITIVE_INFINITY;
    this.#value = whenDone(this.#make(), (value) => {
      const madeMs = this.#monotonicMs();
      this.#untilMs = madeMs + Math.min((madeMs - nowMs) * rememberedTimes, rememberedMaxMs);
      return value;
    });
    if (isPending(this.#value))
      this.#value.catch(() => {
        this.#value = undefined;
      });
    return this.#value;
  }
}

function count({ pingedAtMs, total, messagesOfEnded, bytes }: CountedSystem): SystemStats {
  const subscriptions = new Map<string, number>();
  const users = new Set<string>();
  let messages = messagesOfEnded;
  for (const session of pingedAtMs.keys()) {
    messages += session.messageCount;
    if (session.identity.user !== undefined) users.add(session.identity.user);
    for (const { target, isAutomatic } of session.views.values())
      if (!isAutomatic) subscriptions.set(target, (subscriptions.get(target) ?? 0) + 1);
  }
  const { size: active } = pingedAtMs;
  return { active, total, messages, bytes, users: [...users], subscriptions: [...subscriptions] };
}

function together(nodes: readonly (SystemStats | undefined)[]): SystemStats {
  const all = nodes.filter((each) => each !== undefined);
  const sum = (figure: (of: SystemStats) => number) => all.reduce((total, each) => total + figure(each), 0);
  const subscriptions = new Map<string, number>();
  for (const [target, count] of all.flatMap((each) => each.subscriptions))
    subscriptions.set(target, (subscriptions.get(target) ?? 0) + count);
  return {
    active: sum(({ active }) => active),
    total: sum(({ total }) => total),
    messages: sum(({ messages }) => messages),
    bytes: sum(({ bytes }) => bytes),
    users: [...new Set(all.flatMap(({ users }) => users))],
    subscriptions: [...subscriptions],
  };
}
