/**
 * Calls `emit` `rate` times a second, on time whatever happened before (open loop): what is late is made up for at
 * once. Answers how often it did, and how late it was at worst.
 */
export function pace(
  rate: number,
  seconds: number,
  emit: (index: number) => void,
): Promise<{ readonly sent: number; readonly latestMs: number }> {
  const total = Math.round(rate * seconds);
  const startMs = performance.now();
  let sent = 0;
  let latestMs = 0;
  return new Promise((resolve) => {
    const tick = (): void => {
      const elapsedMs = performance.now() - startMs;
      const due = Math.min(total, Math.floor((elapsedMs * rate) / 1000) + 1);
      if (due > sent) latestMs = Math.max(latestMs, elapsedMs - (sent * 1000) / rate);
      while (sent < due) emit(sent++);
      if (sent === total) resolve({ sent, latestMs });
      else setTimeout(tick, Math.max(1, Math.floor((sent * 1000) / rate - (performance.now() - startMs))));
    };
    tick();
  });
}
