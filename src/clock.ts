/**
 * Milliseconds since 1970 as the wall clock said when the process began, and since then by the monotonic clock. For ages,
 * TTLs and windows of what may be stored: a wall clock that is set empties no ring, forgets no id and ends no TTL. What
 * people read takes the wall clock.
 */
export function steadyNowMs(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
