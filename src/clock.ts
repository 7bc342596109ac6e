/**
 * Milliseconds since 1970: the wall clock's time at the start of the process, advanced by the monotonic clock. For
 * ages, TTLs and time windows: setting the wall clock does not empty rings, forget message ids or end TTLs. Times for
 * people come from the wall clock.
 */
export function steadyNowMs(): number {
  return Math.floor(steadyOriginMs + performance.now());
}

let steadyOriginMs = performance.timeOrigin;

/**
 * Sets the clock to `nowMs`, before its first use. Processes that share topics have to agree on the time, even if the
 * wall clock was set between their starts.
 */
export function setSteadyClock(nowMs: number): void {
  steadyOriginMs = nowMs - performance.now();
}
