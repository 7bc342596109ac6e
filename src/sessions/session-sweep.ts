import type { CloseCode } from '../errors.ts';
import type { TurnBudget } from './limits/turn-budget.ts';
import type { Session } from './session.ts';

export interface SessionSweepOptions {
  /** A session without a byte of progress for this time is terminated. */
  readonly writeTimeoutMs: number;
  /** The limit for the buffers of all sessions together. */
  readonly backpressureTotalMaxBytes: number;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly turnBudget: Pick<TurnBudget, 'each'>;
}

/** The sessions that are swept. */
interface SweptSessions {
  all(): Iterable<Session>;
  sendAway(leaving: readonly Session[], code: CloseCode): void;
}

/** How long before its token expires a client is warned: long enough to ask for another one. */
const expiryWarningMs = 30_000;

/**
 * Ends sessions that do not read or whose token has expired, and those with the largest buffers where all buffers
 * together are too large. Warns those whose token expires soon.
 */
export function sweepSessions(sessions: SweptSessions, options: SessionSweepOptions): void {
  const { writeTimeoutMs, backpressureTotalMaxBytes, monotonicMs, wallMs, turnBudget } = options;
  const nowMs = monotonicMs();
  const timeMs = wallMs();
  const stuck: Session[] = [];
  const expired: Session[] = [];
  const expiring: Session[] = [];
  let unsentBytes = 0;
  for (const session of sessions.all()) {
    if (session.isLeaving) continue;
    unsentBytes += session.unsentBytes;
    const stuckSinceMs = session.stuckSinceMs();
    const leftMs = (session.identity.expiresAtMs ?? Number.POSITIVE_INFINITY) - timeMs;
    if (stuckSinceMs !== undefined && nowMs - stuckSinceMs >= writeTimeoutMs) stuck.push(session);
    else if (leftMs <= 0) expired.push(session);
    else if (leftMs <= expiryWarningMs) expiring.push(session);
  }
  turnBudget.each(stuck, (session) => session.terminate());
  sessions.sendAway(expired, 'unauthorized');
  turnBudget.each(expiring, (session) => session.warnOfExpiry());
  if (unsentBytes > backpressureTotalMaxBytes)
    terminateLargest(sessions, unsentBytes - backpressureTotalMaxBytes);
}

/** Terminates those with the largest buffers, until this many bytes are freed. */
function terminateLargest(sessions: SweptSessions, excessBytes: number): void {
  const largestFirst = [...sessions.all()].sort((a, b) => b.unsentBytes - a.unsentBytes);
  let excess = excessBytes;
  for (const session of largestFirst) {
    if (excess <= 0) return;
    excess -= session.unsentBytes;
    session.terminate();
  }
}
