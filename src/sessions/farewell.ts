import type { Session } from './session.ts';

export interface FarewellOptions {
  readonly sessions: { all(): Iterable<Session> };
  /** The clients are told within this time, one after the other. */
  readonly overMs: number;
  /** Each client is told to come back within this time, each at another moment. */
  readonly reconnectSpreadMs: number;
  readonly wait: (ms: number) => Promise<unknown>;
  readonly monotonicMs: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

const everyMs = 50;
/** Fewer clients than this at a time are no storm, whatever `overMs` allows. */
const leastAtOnce = 10;

/**
 * Tells every client that the gateway goes away and when to come back, and ends its session. The clients are told one
 * after the other, because each connects elsewhere at once. Resolves when all were told.
 */
export async function farewell(options: FarewellOptions): Promise<void> {
  const { sessions, overMs, reconnectSpreadMs, wait, monotonicMs, random } = options;
  const waiting = [...sessions.all()];
  const startMs = monotonicMs();
  const tell = (some: Iterable<Session>) => {
    for (const session of some) {
      if (!session.isClosed && session.endedBy === undefined)
        session.goAway('going_away', Math.floor(random() * reconnectSpreadMs));
    }
  };
  for (let count = 0; count < waiting.length; ) {
    if (count > 0) await wait(everyMs);
    // By the clock: a busy gateway waits longer than it asked for, and must not drain for longer.
    const share = Math.min(1, (monotonicMs() - startMs + everyMs) / overMs);
    const due = Math.max(count + leastAtOnce, Math.ceil(waiting.length * share));
    tell(waiting.slice(count, due));
    count = due;
  }
  // Some were being admitted when the first were told.
  tell([...sessions.all()]);
}
