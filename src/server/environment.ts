import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Arrival } from '../sessions/limits/token-bucket.ts';
import type { RequestTurn } from '../transport/uws/request-turn.ts';

/** What every part of a gateway is built from. */
export interface Environment {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly monotonicMs: () => number;
  /** A clock that stops while other processes have this thread's processor: clients are charged by it. */
  readonly workMs: () => number;
  readonly requestTurn: RequestTurn;
  readonly arrival: Arrival;
  /** The longest time of the last seconds that the event loop was held up. */
  readonly loopDelayMs: () => number;
  /** The gateway is stopping: it takes no more connections. */
  readonly isDraining: () => boolean;
  /** While it drains: a time after its end, different for each call. */
  readonly afterDrainMs: () => number;
}

/** A part that drops what it no longer needs, once a second. */
export interface Swept {
  sweep(): void;
}

/** The least time over which clients are asked to spread their reconnects. */
export const reconnectSpreadMs = 2000;
