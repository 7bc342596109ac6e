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
}

/** By id. */
type ReadonlySessions = ReadonlyMap<string, Session>;

/** How long before its token expires a client is warned: long enough to ask for another one. */
const expiryWarningMs = 30_000;

/**
 * Ends sessions that do not read or whose token has expired, and those with the largest buffers where all buffers
 * together are too large. Warns those whose token expires soon.
 */
export function sweepSessions(sessions: ReadonlySessions, options: SessionSweepOptions): void {
  const { writeTimeoutMs, backpressureTotalMaxBytes, monotonicMs, wallMs } = options;
  const nowMs = monotonicMs();
  const timeMs = wallMs();
  let unsentBytes = 0;
  for (const session of sessions.values()) {
    unsentBytes += session.unsentBytes;
    const stuckSinceMs = session.stuckSinceMs();
    if (stuckSinceMs !== undefined && nowMs - stuckSinceMs >= writeTimeoutMs) session.terminate();
    else endOrWarn(session, timeMs);
  }
  if (unsentBytes > backpressureTotalMaxBytes)
    terminateLargest(sessions, unsentBytes - backpressureTotalMaxBytes);
}

function endOrWarn(session: Session, timeMs: number): void {
  const { expiresAtMs } = session.identity;
  if (expiresAtMs === undefined) return;
  if (expiresAtMs <= timeMs) session.goAway('unauthorized');
  else if (expiresAtMs - timeMs <= expiryWarningMs) session.warnOfExpiry(expiresAtMs);
}

/** Terminates those with the largest buffers, until this many bytes are freed. */
function terminateLargest(sessions: ReadonlySessions, excessBytes: number): void {
  const largestFirst = [...sessions.values()].sort((a, b) => b.unsentBytes - a.unsentBytes);
  let excess = excessBytes;
  for (const session of largestFirst) {
    if (excess <= 0) return;
    excess -= session.unsentBytes;
    session.terminate();
  }
}
