import { randomBytes } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { LineBudget } from '../log/line-budget.ts';
import type { WarningLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { toInstant } from '../protocol/instant.ts';
import type { EventListener, SessionEvent } from '../sessions/session-events.ts';
import type { Endpoint } from './endpoint.ts';
import { EventQueue } from './event-queue.ts';
import { HookFailure } from './failure.ts';
import { LocalOccupancy, type Occupancy, type OccupancyListener } from './occupancy.ts';

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
const lineRate = { linesAtOnce: 1, everyMs: 10_000 };

/**
 * Sends the events of sessions to the application, one batch at a time and each until it is acknowledged, so that they
 * arrive in order.
 */
export class ApplicationEvents implements EventListener {
  readonly #options: EventsOptions;
  readonly #occupancy: Occupancy;
  readonly #queue: EventQueue;
  readonly #run = randomBytes(9).toString('base64url');
  #sequence = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;
  readonly #lines: LineBudget;
  #toldDropped = 0;
  /** Aborted when the gateway begins to end. */
  readonly #closing = new AbortController();
  /** Aborted when it waits no longer. */
  readonly #stop = new AbortController();

  constructor(options: EventsOptions) {
    this.#options = options;
    this.#lines = new LineBudget(lineRate, options.monotonicMs);
    const makeOccupancy = options.occupancy ?? ((listener) => new LocalOccupancy(listener));
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
    this.#closing.abort();
    clearTimeout(this.#timer);
    const timer = setTimeout(() => this.#stop.abort(new HookFailure('timeout', 'the gateway ends')), graceMs);
    while (!this.#queue.isEmpty && !this.#stop.signal.aborted) {
      await (this.#sending ?? this.#send());
      if (this.#failures > 0) await after(lastRetryMs);
    }
    clearTimeout(timer);
    this.#stop.abort(new HookFailure('timeout', 'the gateway ends'));
  }

  told(event: SessionEvent): void {
    this.#push(event);
    if (event.type === 'subscribed') this.#occupancy.subscribed(event.topic);
    else if (event.type === 'unsubscribed') this.#occupancy.unsubscribed(event.topic);
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
    if (this.#closing.signal.aborted || this.#timer !== undefined || this.#sending !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send();
    }, delayMs);
  }

  #send(): Promise<void> {
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined;
      // What came after the last look at the queue found that it was being sent.
      if (!this.#queue.isEmpty) this.#soon(lingerMs);
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
      } else if (this.#closing.signal.aborted) return;
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
    const { metrics, log } = this.#options;
    this.#failures++;
    metrics.eventBatchErrorsTotal.inc();
    const unlogged = this.#lines.take('failed');
    if (unlogged === undefined) return;
    log.warn(
      { queueBytes: this.#queue.bytes, dropped: this.#queue.dropped, ...unlogged },
      `events are not taken, and wait: ${why}`,
    );
  }

  /** Waits until the next attempt, or until the gateway ends. */
  async #pause(): Promise<void> {
    const { retryMs = 500 } = this.#options;
    const delayMs = retryMs * Math.min(60, 2 ** (this.#failures - 1)) * (0.75 + Math.random() / 2);
    await after(delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }
}
