import { randomBytes } from 'node:crypto';
import type { WarningLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { toInstant } from '../protocol/instant.ts';
import type { DisconnectReason, SessionEvents, UnsubscribeReason } from '../sessions/session-events.ts';
import type { ToldEvents, ToldSession } from '../sessions/told.ts';
import type { Endpoint } from './endpoint.ts';
import { EventQueue } from './event-queue.ts';
import { HookFailure } from './failure.ts';
import { type Occupancy, type OccupancyListener, OwnOccupancy } from './occupancy.ts';

export interface EventsOptions {
  readonly endpoint: Pick<Endpoint, 'post'>;
  /** The name of this gateway for the application, the same after a restart. */
  readonly gateway: string;
  /** The name of all gateways that share an engine, and so the occupancy of topics. */
  readonly group: string;
  /** Absent: this gateway is alone. */
  readonly occupancy?: (listener: OccupancyListener) => Occupancy;
  readonly queueMaxBytes: number;
  readonly timeoutMs: number;
  readonly monotonicMs: () => number;
  readonly metrics: Pick<
    Metrics,
    'eventsTotal' | 'eventsDroppedTotal' | 'eventBatchErrorsTotal' | 'eventQueueBytes' | 'onScrape'
  >;
  readonly log: WarningLog;
  /** The delay after the first failure. It doubles up to 60 times this. */
  readonly retryMs?: number;
}

/** Events within this time are sent together. */
const lingerMs = 20;
/** Between attempts while the gateway ends. */
const lastRetryMs = 100;
const responseMaxBytes = 64 * 1024;
const logEveryMs = 10_000;

/**
 * Sends the events of sessions to the application, one batch at a time and each until it is acknowledged, so that they
 * arrive in order.
 */
export class ApplicationEvents implements ToldEvents {
  readonly #options: EventsOptions;
  readonly #occupancy: Occupancy;
  readonly #queue: EventQueue;
  readonly #run = randomBytes(9).toString('base64url');
  #sequence = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #toldDropped = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;
  readonly #stop = new AbortController();

  constructor(options: EventsOptions) {
    this.#options = options;
    const makeOccupancy = options.occupancy ?? ((listener) => new OwnOccupancy(listener));
    this.#occupancy = makeOccupancy({
      occupied: (topic) => this.#push({ type: 'occupied', topic }, true),
      vacated: (topic) => this.#push({ type: 'vacated', topic }, true),
      resync: () => {
        this.#queue.resync();
        this.#soon(lingerMs);
      },
    });
    this.#queue = new EventQueue(options.queueMaxBytes, () => this.#occupancy.topics);
    options.metrics.onScrape(() => options.metrics.eventQueueBytes.set(this.#queue.bytes));
  }

  /** Begins to send events. */
  start(): void {
    this.#soon(0);
  }

  /** Sends the events that wait, for at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const timer = setTimeout(() => this.#stop.abort(new HookFailure('timeout', 'the gateway ends')), graceMs);
    this.#wake?.();
    while (!this.#queue.isEmpty && !this.#stop.signal.aborted) {
      await (this.#sending ?? this.#send());
      if (this.#failures > 0) await new Promise((resolve) => setTimeout(resolve, lastRetryMs));
    }
    clearTimeout(timer);
    this.#stop.abort(new HookFailure('timeout', 'the gateway ends'));
  }

  connected(session: ToldSession): void {
    this.#add('connected', session);
  }

  subscribed(session: ToldSession, topic: string): void {
    this.#add('subscribed', session, { topic });
    this.#occupancy.subscribed(topic);
  }

  unsubscribed(session: ToldSession, topic: string, reason: UnsubscribeReason): void {
    this.#add('unsubscribed', session, { topic, reason });
    this.#occupancy.unsubscribed(topic);
  }

  disconnected(session: ToldSession, reason: DisconnectReason): void {
    this.#add('disconnected', session, { reason });
  }

  #add(type: string, session: ToldSession, more: object = {}): void {
    this.#push({ type, ...session, ...more });
  }

  #push(event: object, isOccupancy = false): void {
    this.#queue.add(JSON.stringify({ ...event, time: toInstant(Date.now()) }), isOccupancy);
    const { dropped } = this.#queue;
    if (dropped > this.#toldDropped) {
      this.#options.metrics.eventsDroppedTotal.inc(dropped - this.#toldDropped);
      this.#toldDropped = dropped;
    }
    this.#soon(lingerMs);
  }

  #soon(delayMs: number): void {
    if (this.#isClosed || this.#timer !== undefined || this.#sending !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send();
    }, delayMs);
  }

  #send(): Promise<void> {
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let batch = this.#queue.next(); batch !== undefined; batch = this.#queue.next()) {
      const { gateway, group } = this.#options;
      const head = JSON.stringify({
        hook: 'events',
        gateway,
        group,
        run: this.#run,
        sequence: this.#sequence,
        resync: batch.resync,
      });
      const body = Buffer.from(`${head.slice(0, -1)},"events":[${batch.events.join(',')}]}`);
      if (await this.#isTaken(body)) {
        this.#failures = 0;
        this.#sequence++;
        this.#options.metrics.eventsTotal.inc(this.#queue.acknowledged());
      } else if (this.#isClosed) return;
      else await this.#pause();
    }
  }

  async #isTaken(body: Uint8Array): Promise<boolean> {
    const { endpoint, timeoutMs } = this.#options;
    const late = AbortSignal.timeout(timeoutMs);
    try {
      await endpoint.post([body], responseMaxBytes, AbortSignal.any([late, this.#stop.signal]));
      return true;
    } catch (error) {
      this.#failed(late.aborted ? `no answer within ${timeoutMs} ms` : (error as Error).message);
      return false;
    }
  }

  #failed(why: string): void {
    const { metrics, log, monotonicMs } = this.#options;
    this.#failures++;
    metrics.eventBatchErrorsTotal.inc();
    const nowMs = monotonicMs();
    if (nowMs - this.#loggedAtMs < logEveryMs) return;
    this.#loggedAtMs = nowMs;
    log.warn(
      { queueBytes: this.#queue.bytes, dropped: this.#queue.dropped },
      `events are not taken, and wait: ${why}`,
    );
  }

  /** Waits until the next attempt, or until the gateway ends. */
  #pause(): Promise<void> {
    const { retryMs = 500 } = this.#options;
    const delayMs = retryMs * Math.min(60, 2 ** (this.#failures - 1)) * (0.75 + Math.random() / 2);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Passes the events of sessions to both. */
export function toldBoth(
  a: SessionEvents | undefined,
  b: SessionEvents | undefined,
): SessionEvents | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    connected: (session) => {
      a.connected(session);
      b.connected(session);
    },
    subscribed: (session, target) => {
      a.subscribed(session, target);
      b.subscribed(session, target);
    },
    unsubscribed: (session, target, reason) => {
      a.unsubscribed(session, target, reason);
      b.unsubscribed(session, target, reason);
    },
    disconnected: (session, reason) => {
      a.disconnected(session, reason);
      b.disconnected(session, reason);
    },
  };
}
