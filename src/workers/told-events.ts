import type { DisconnectReason, UnsubscribeReason } from '../sessions/session-events.ts';
import type { ToldEvents, ToldSession } from '../sessions/told.ts';

/** One event of a session, as a worker tells its parent. */
export type WorkerEvent =
  | readonly [type: 'connected', session: ToldSession]
  | readonly [type: 'subscribed', session: ToldSession, topic: string]
  | readonly [type: 'unsubscribed', session: ToldSession, topic: string, reason: UnsubscribeReason]
  | readonly [type: 'disconnected', session: ToldSession, reason: DisconnectReason];

/** A worker's side: tells the parent of events, those of one turn together. */
export class WorkerEvents implements ToldEvents {
  readonly #tell: (events: readonly WorkerEvent[]) => Promise<void>;
  #events: WorkerEvent[] = [];

  /** `tell` resolves once the parent has heard of these events and all before, or is gone. */
  constructor(tell: (events: readonly WorkerEvent[]) => Promise<void>) {
    this.#tell = tell;
  }

  connected(session: ToldSession): void {
    this.#add(['connected', session]);
  }

  subscribed(session: ToldSession, topic: string): void {
    this.#add(['subscribed', session, topic]);
  }

  unsubscribed(session: ToldSession, topic: string, reason: UnsubscribeReason): void {
    this.#add(['unsubscribed', session, topic, reason]);
  }

  disconnected(session: ToldSession, reason: DisconnectReason): void {
    this.#add(['disconnected', session, reason]);
  }

  /** Resolves when the parent has heard of all. */
  close(): Promise<void> {
    return this.#send();
  }

  #add(event: WorkerEvent): void {
    if (this.#events.push(event) === 1) setImmediate(() => void this.#send());
  }

  #send(): Promise<void> {
    const events = this.#events;
    this.#events = [];
    return this.#tell(events);
  }
}

interface Known {
  session: ToldSession;
  readonly topics: string[];
}

/** The parent's side of one worker. When the worker ends, its sessions are reported as disconnected. */
export class EventsOfWorker {
  readonly #events: ToldEvents;
  readonly #sessions = new Map<string, Known>();

  constructor(events: ToldEvents) {
    this.#events = events;
  }

  told(events: readonly WorkerEvent[]): void {
    for (const event of events) this.#told(event);
  }

  /** The worker has ended without telling the end of its sessions. */
  gone(): void {
    for (const { session, topics } of this.#sessions.values()) {
      for (const topic of topics) this.#events.unsubscribed(session, topic, 'disconnect');
      this.#events.disconnected(session, 'going_away');
    }
    this.#sessions.clear();
  }

  #told(event: WorkerEvent): void {
    const [type, session] = event;
    const known = this.#knownOf(session);
    if (type === 'connected') this.#events.connected(session);
    else if (type === 'subscribed') {
      known.topics.push(event[2]);
      this.#events.subscribed(session, event[2]);
    } else if (type === 'unsubscribed') {
      const at = known.topics.indexOf(event[2]);
      if (at >= 0) known.topics.splice(at, 1);
      this.#events.unsubscribed(session, event[2], event[3]);
    } else {
      this.#sessions.delete(session.session);
      this.#events.disconnected(session, event[2]);
    }
  }

  /** Its user may change. */
  #knownOf(session: ToldSession): Known {
    const known = this.#sessions.get(session.session) ?? { session, topics: [] };
    known.session = session;
    this.#sessions.set(session.session, known);
    return known;
  }
}
