import type { PublishFields } from '../protocol/frames.ts';

/** A built-in producer of publications. The composition root decides which ones run. */
export interface Source {
  /** The label of its metrics and log lines. */
  readonly name: string;
  /** Begins to publish; returns at once. */
  start(): void;
  /** Ends it. Resolves when nothing more will be published. */
  stop(): Promise<void>;
}

/** What a source needs from the gateway: publish several at once. Rejects when they could not be committed. */
export type SourcePublish = (fields: readonly PublishFields[]) => Promise<unknown>;

/** Time, as a source sees it. */
export interface SourceClock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Calls `tick` at this interval, until the returned function is called. */
  every(intervalMs: number, tick: () => void): () => void;
}

export const systemClock: SourceClock = {
  now: Date.now,
  every(intervalMs, tick) {
    const timer = setInterval(tick, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};
