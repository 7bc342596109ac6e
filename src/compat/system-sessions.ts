import { nullPayload } from '../protocol/payload.ts';
import type { Session } from '../sessions/session.ts';
import { codecNameOf, type SystemName } from './systems.ts';

/** The parts of a session that are used here. */
export type CountedSession = Pick<Session, 'codec' | 'messageCount'> & {
  readonly outbox: Pick<Session['outbox'], 'push'>;
  readonly identity: Pick<Session['identity'], 'user'>;
  readonly views: { values(): Iterable<{ readonly target: string; readonly automatic: boolean }> };
};

export interface SystemSessionsOptions {
  readonly systems: readonly SystemName[];
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  /** Interval of pings that are messages of their system. */
  readonly pingMs: number;
}

/** Statistics of a system's connections. */
export interface SystemStats {
  readonly active: number;
  readonly total: number;
  /** Messages sent to all its connections, including closed ones. */
  readonly messages: number;
  /** The bytes of these messages. */
  readonly bytes: number;
  readonly users: number;
  /** Topic or pattern -> number of subscriptions, without automatic ones. */
  readonly subscriptions: ReadonlyMap<string, number>;
}

interface Counted {
  readonly name: SystemName;
  /** When each was sent its last ping. */
  readonly pingedAtMs: Map<CountedSession, number>;
  total: number;
  messagesOfEnded: number;
  bytes: number;
  stats: { readonly value: SystemStats; readonly atMs: number } | undefined;
}

/** Statistics are cached for this long, because they take a look at every connection. */
const statsAgeMs = 1000;
/** System B has pings that are messages, besides those of WebSocket. */
const pinging: ReadonlySet<SystemName> = new Set(['b']);

/** The sessions of each system, counted apart, so that no system sees those of another. */
export class SystemSessions {
  readonly #options: SystemSessionsOptions;
  readonly #byCodec: ReadonlyMap<string, Counted>;

  constructor(options: SystemSessionsOptions) {
    this.#options = options;
    this.#byCodec = new Map(
      options.systems.map((name) => [
        codecNameOf(name),
        { name, pingedAtMs: new Map(), total: 0, messagesOfEnded: 0, bytes: 0, stats: undefined },
      ]),
    );
  }

  opened(session: CountedSession): void {
    const counted = this.#byCodec.get(session.codec.name);
    if (counted === undefined) return;
    counted.pingedAtMs.set(session, this.#options.monotonicMs());
    counted.total++;
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

  /** Statistics of a served system, at most a second old. */
  stats(name: SystemName): SystemStats {
    const counted = this.#byCodec.get(codecNameOf(name));
    if (counted === undefined) throw new Error(`the system ${name} is not served`);
    const nowMs = this.#options.monotonicMs();
    if (counted.stats === undefined || nowMs - counted.stats.atMs >= statsAgeMs)
      counted.stats = { value: count(counted), atMs: nowMs };
    return counted.stats.value;
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
}

function count({ pingedAtMs, total, messagesOfEnded, bytes }: Counted): SystemStats {
  const subscriptions = new Map<string, number>();
  const users = new Set<string>();
  let messages = messagesOfEnded;
  for (const session of pingedAtMs.keys()) {
    messages += session.messageCount;
    if (session.identity.user !== undefined) users.add(session.identity.user);
    for (const { target, automatic } of session.views.values())
      if (!automatic) subscriptions.set(target, (subscriptions.get(target) ?? 0) + 1);
  }
  return { active: pingedAtMs.size, total, messages, bytes, users: users.size, subscriptions };
}
