import type { ErrorLog } from '../log.ts';
import type {
  DisconnectReason,
  ObservedSession,
  SessionEvents,
  UnsubscribeReason,
} from '../sessions/session-events.ts';

/** The session that an event is about. */
export interface SessionEvent {
  /** The id of the session, as `connected` tells it to the client. */
  readonly session: string;
  /** `sub` of its token; undefined: it has none. */
  readonly user: string | undefined;
  /** `websocket`, `sse` … */
  readonly transport: string;
  /** The client's address. */
  readonly address: string;
}

export interface SubscribeEvent extends SessionEvent {
  /** The topic or pattern, as the client named it. */
  readonly topic: string;
}

export interface UnsubscribeEvent extends SubscribeEvent {
  /**
   * `client`: it unsubscribed. `replaced`: by another subscription of the session. `forbidden`: its new credential does
   * not allow it. `refused`: what was asked for with it could not be had. `disconnect`: the session has ended.
   */
  readonly reason: UnsubscribeReason;
}

export interface DisconnectEvent extends SessionEvent {
  /** `client`: the client or the network ended it. Otherwise the close code that the gateway ended it with, by name. */
  readonly reason: DisconnectReason;
}

/** The events of a gateway, by name, and what their listeners get. */
export interface GatewayEvents {
  /** A session has begun; one that has to authenticate first, once it has. */
  readonly connect: SessionEvent;
  /** A session has subscribed. Automatic subscriptions (`$all`, the user's topic) are not reported. */
  readonly subscribe: SubscribeEvent;
  /** A subscription has ended. Each ends exactly once, at the latest before its session. */
  readonly unsubscribe: UnsubscribeEvent;
  /** A session has ended. */
  readonly disconnect: DisconnectEvent;
}

export type GatewayEventName = keyof GatewayEvents;

export type GatewayListener<N extends GatewayEventName> = (event: GatewayEvents[N]) => unknown;

type Told = { readonly [N in GatewayEventName]: { readonly name: N; readonly event: GatewayEvents[N] } };

const names: readonly GatewayEventName[] = ['connect', 'subscribe', 'unsubscribe', 'disconnect'];

/**
 * Delivers the events of sessions to listeners, in order. Listeners run after the current work of the sessions, so they
 * may call the gateway. A listener that throws, or whose promise rejects, is logged.
 */
export class EventListeners implements SessionEvents {
  readonly #byName: { readonly [N in GatewayEventName]: Set<GatewayListener<N>> } = {
    connect: new Set(),
    subscribe: new Set(),
    unsubscribe: new Set(),
    disconnect: new Set(),
  };
  readonly #log: ErrorLog;
  readonly #isOwn: (session: ObservedSession) => boolean;
  #waiting: Told[GatewayEventName][] = [];

  /** `isOwn`: whether it is a session of the gateway itself, which is not reported. */
  constructor(log: ErrorLog, isOwn: (session: ObservedSession) => boolean) {
    this.#log = log;
    this.#isOwn = isOwn;
  }

  /** Returns how to remove the listener. */
  on<N extends GatewayEventName>(name: N, listener: GatewayListener<N>): () => void {
    if (!names.includes(name))
      throw new TypeError(`there is no event ${String(name)}; there are ${names.join(', ')}`);
    if (typeof listener !== 'function') throw new TypeError('a listener must be a function');
    // A function that is added twice is called twice.
    const own: GatewayListener<N> = (event) => listener(event);
    const listeners = this.#byName[name] as Set<GatewayListener<N>>;
    listeners.add(own);
    return () => {
      listeners.delete(own);
    };
  }

  connected(session: ObservedSession): void {
    if (this.#hears('connect', session)) this.#tell({ name: 'connect', event: eventOf(session) });
  }

  subscribed(session: ObservedSession, topic: string): void {
    if (this.#hears('subscribe', session))
      this.#tell({ name: 'subscribe', event: { ...eventOf(session), topic } });
  }

  unsubscribed(session: ObservedSession, topic: string, reason: UnsubscribeReason): void {
    if (this.#hears('unsubscribe', session))
      this.#tell({ name: 'unsubscribe', event: { ...eventOf(session), topic, reason } });
  }

  disconnected(session: ObservedSession, reason: DisconnectReason): void {
    if (this.#hears('disconnect', session))
      this.#tell({ name: 'disconnect', event: { ...eventOf(session), reason } });
  }

  #hears(name: GatewayEventName, session: ObservedSession): boolean {
    return this.#byName[name].size > 0 && !this.#isOwn(session);
  }

  #tell(told: Told[GatewayEventName]): void {
    if (this.#waiting.push(told) === 1) queueMicrotask(() => this.#run());
  }

  #run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { name, event } of waiting) {
      for (const listener of [...this.#byName[name]])
        this.#call(name, listener as GatewayListener<never>, event);
    }
  }

  #call(name: GatewayEventName, listener: GatewayListener<never>, event: SessionEvent): void {
    const failed = (err: unknown) => this.#log.error({ err, event: name }, 'a listener failed');
    try {
      const result = listener(event as never);
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function';
}

function eventOf({ id, identity, transport, peer }: ObservedSession): SessionEvent {
  return { session: id, user: identity.user, transport, address: peer.address };
}
