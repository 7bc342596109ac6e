import type { Session } from './session.ts';

export interface FarewellOptions {
  readonly sessions: { all(): Iterable<Session> };
  /** Over this time the clients are told, one after the other. */
  readonly overMs: number;
  /** Each client is told to come back within this time, each at another moment. */
  readonly reconnectSpreadMs: number;
  readonly wait: (ms: number) => Promise<unknown>;
  /** From 0 to 1. */
  readonly random: () => number;
}

const everyMs = 50;
/** Fewer clients than this at a time are no storm, whatever `overMs` allows. */
const leastAtOnce = 10;

/**
 * Tells every client that the gateway goes away and when to come back, and ends its session. They are told over a time,
 * because they all connect elsewhere. Resolves when all were told.
 */
export async function farewell(options: FarewellOptions): Promise<void> {
  const { sessions, overMs, reconnectSpreadMs, wait, random } = options;
  const waiting = [...sessions.all()];
  const atOnce = Math.max(leastAtOnce, Math.ceil(waiting.length / Math.max(1, Math.floor(overMs / everyMs))));
  const tell = (some: Iterable<Session>) => {
    for (const session of some) {
      if (!session.closed && session.endedBy === undefined)
        session.goAway('going_away', Math.floor(random() * reconnectSpreadMs));
    }
  };
  for (let told = 0; told < waiting.length; told += atOnce) {
    if (told > 0) await wait(everyMs);
    tell(waiting.slice(told, told + atOnce));
  }
  // Some were being admitted when the first were told.
  tell([...sessions.all()]);
}
