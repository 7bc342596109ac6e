/**
 * Milliseconds since 1970: the wall clock's time at the start of the process, then advanced by the monotonic clock. For
 * ages, TTLs and time windows: setting the wall clock empties no ring, forgets no id and ends no TTL. Times for people
 * come from the wall clock.
 */
export function steadyNowMs(): number {
  return Math.floor(steadyOriginMs + performance.now());
}

let steadyOriginMs = performance.timeOrigin;

/**
 * Sets the clock, before it is first used: it says `nowMs` now. Processes that share their topics have to agree, though
 * the wall clock may have been set between their starts.
 */
export function setSteadyClock(nowMs: number): void {
  steadyOriginMs = nowMs - performance.now();
}
