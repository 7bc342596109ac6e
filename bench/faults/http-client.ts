import { setTimeout as later } from 'node:timers';
import { StalledClient } from '../support/stalled-client.ts';
import type { FaultClient, ReturnPace } from './client.ts';
import { FrameApplication } from './frame-application.ts';
import type { Journal } from './journal.ts';
import type { Marker } from './plan.ts';

/** Short and spread delays, because a run is short. */
const delaysMs = [100, 200, 400, 800];

/** A simple client over HTTP: after each cut it reconnects with its last cursor. */
export abstract class HttpFaultClient extends StalledClient implements FaultClient {
  readonly index: number;
  isConnected = false;
  readonly #ports: readonly number[];
  protected readonly application: FrameApplication;
  protected cursor = '';
  protected isClosed = false;
  readonly #pace: ReturnPace;
  /** A browser keeps it for later attempts. */
  #retryMs: number | undefined;
  #tries = 0;
  #nextPort: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(index: number, ports: readonly number[], journal: Journal, pace: ReturnPace) {
    super();
    this.index = index;
    this.#pace = pace;
    this.#ports = ports;
    this.#nextPort = index;
    this.application = new FrameApplication(index, journal, () => {
      this.isConnected = true;
      this.#tries = 0;
    });
    queueMicrotask(() => this.open());
  }

  /** Another gateway after each reconnect, as with a load balancer. */
  protected get port(): number {
    return this.#ports[this.#nextPort % this.#ports.length]!;
  }

  protected abstract open(): void;

  get errors(): readonly string[] {
    return this.application.errors;
  }

  get lags(): number {
    return this.application.lags;
  }

  get stats(): { readonly connects: number; readonly gaps: number } {
    return this.application;
  }

  get returnAtMs(): number | undefined {
    return this.application.returnAtMs;
  }

  get where(): string {
    return `client ${this.index}: ${this.isConnected ? 'open' : 'away'}, ${this.application.where}`;
  }

  hasReached(marker: Marker): boolean {
    return this.application.hasReached(marker);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.#timer);
    this.cut();
  }

  /** Opens again soon. */
  protected away(): void {
    this.isConnected = false;
    this.#nextPort++;
    this.application.away();
    if (this.isClosed) return;
    const delayMs = delaysMs[Math.min(this.#tries++, delaysMs.length - 1)]!;
    const { advisedMs } = this.application;
    this.application.advisedMs = undefined;
    if (this.#pace === 'default') this.#retryMs = advisedMs ?? this.#retryMs;
    const waitMs = advisedMs ?? this.#retryMs ?? delayMs * (0.5 + Math.random() / 2);
    this.#timer = later(() => this.open(), waitMs);
  }
}
