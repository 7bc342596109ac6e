import type { EventListener, EventSession, SessionEvent } from '../sessions/session-events.ts';

/** A worker's side: tells the parent of events, those of one turn together. */
export class WorkerEvents implements EventListener {
  readonly #tell: (events: readonly SessionEvent[]) => Promise<void>;
  #events: SessionEvent[] = [];

  /** `tell` resolves once the parent has heard of these events and all before, or is gone. */
  constructor(tell: (events: readonly SessionEvent[]) => Promise<void>) {
    this.#tell = tell;
  }

  told(event: SessionEvent): void {
    if (this.#events.push(event) === 1) setImmediate(() => void this.#send());
  }

  /** Resolves when the parent has heard of all. */
  close(): Promise<void> {
    return this.#send();
  }

  #send(): Promise<void> {
    const events = this.#events;
    this.#events = [];
    return this.#tell(events);
  }
}

interface OpenSession {
  readonly session: EventSession;
  readonly topics: string[];
}

/** The parent's side of one worker. When the worker ends, its sessions are reported as disconnected. */
export class EventsOfWorker {
  readonly #listener: EventListener;
  readonly #sessions = new Map<string, OpenSession>();

  constructor(listener: EventListener) {
    this.#listener = listener;
  }

  told(events: readonly SessionEvent[]): void {
    for (const event of events) {
      this.#note(event);
      this.#listener.told(event);
    }
  }

  /** The worker has ended without telling the end of its sessions. */
  gone(): void {
    for (const { session, topics } of this.#sessions.values()) {
      for (const topic of topics)
        this.#listener.told({ type: 'unsubscribed', ...session, topic, reason: 'disconnect' });
      this.#listener.told({ type: 'disconnected', ...session, reason: 'going_away' });
    }
    this.#sessions.clear();
  }

  #note(event: SessionEvent): void {
    const { session, user, transport, address } = event;
    if (event.type === 'disconnected') {
      this.#sessions.delete(session);
      return;
    }
    const topics = this.#sessions.get(session)?.topics ?? [];
    this.#sessions.set(session, { session: { session, user, transport, address }, topics });
    if (event.type === 'subscribed') topics.push(event.topic);
    else if (event.type === 'unsubscribed') {
      const at = topics.indexOf(event.topic);
      if (at >= 0) topics.splice(at, 1);
    }
  }
}
