/** What a process hears of the outside. */
export interface SignalWorld {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  /** Monotonic, in milliseconds. */
  nowMs(): number;
  exit(code: number): void;
}

/**
 * A request to end often comes twice: Ctrl-C, and a supervisor that signals a whole process group, reach the gateway
 * directly, and once more through npm, which passes signals on.
 */
const sameRequestMs = 1000;

/** Resolves at the first signal, which drains. A later one, from a person who is tired of waiting, ends the process at once. */
export function untilSignalled(world: SignalWorld): Promise<string> {
  return new Promise((resolve) => {
    let askedAtMs: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      world.on(signal, () => {
        if (askedAtMs === undefined) {
          askedAtMs = world.nowMs();
          resolve(signal);
        } else if (world.nowMs() - askedAtMs >= sameRequestMs) {
          world.exit(1);
        }
      });
    }
  });
}
