import type { ErrorLog } from '../log.ts';
import type {
  DisconnectReason,
  EventListener,
  SessionEvent as ReportedEvent,
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

/** The names of events, by what sessions report. */
const namesByType = {
  connected: 'connect',
  subscribed: 'subscribe',
  unsubscribed: 'unsubscribe',
  disconnected: 'disconnect',
} as const satisfies Record<ReportedEvent['type'], GatewayEventName>;

/**
 * Delivers the events of sessions to listeners, in order. Listeners run after the current work of the sessions, so they
 * may call the gateway. A listener that throws, or whose promise rejects, is logged.
 */
export class EventListeners implements EventListener {
  readonly #byName: { readonly [N in GatewayEventName]: Set<GatewayListener<N>> } = {
    connect: new Set(),
    subscribe: new Set(),
    unsubscribe: new Set(),
    disconnect: new Set(),
  };
  readonly #log: ErrorLog;
  #waiting: { readonly name: GatewayEventName; readonly event: SessionEvent }[] = [];

  constructor(log: ErrorLog) {
    this.#log = log;
  }

  /** Returns how to remove the listener. */
  on<N extends GatewayEventName>(name: N, listener: GatewayListener<N>): () => void {
    if (!Object.hasOwn(this.#byName, name)) {
      const names = Object.keys(this.#byName).join(', ');
      throw new TypeError(`there is no event ${String(name)}; there are ${names}`);
    }
    if (typeof listener !== 'function') throw new TypeError('a listener must be a function');
    // A function that is added twice is called twice.
    const own: GatewayListener<N> = (event) => listener(event);
    const listeners = this.#byName[name] as Set<GatewayListener<N>>;
    listeners.add(own);
    return () => {
      listeners.delete(own);
    };
  }

  told({ type, ...event }: ReportedEvent): void {
    const name = namesByType[type];
    if (this.#byName[name].size === 0) return;
    if (this.#waiting.push({ name, event }) === 1) queueMicrotask(() => this.#run());
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
