const signals = ['SIGINT', 'SIGTERM'] as const;
type Signal = (typeof signals)[number];

/** The members of Node's `process` that are used while it starts. */
export interface LoadingProcess {
  readonly pid: number;
  on(signal: Signal, listener: (signal: Signal) => void): unknown;
  off(signal: Signal, listener: (signal: Signal) => void): unknown;
  kill(pid: number, signal: Signal): unknown;
  exit(code: number): void;
}

/** Exit codes that shells report for these signals. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Ends the process at a signal, while there is nothing to drain, until the returned function is called. Without a
 * listener the kernel drops signals to the first process of a container; elsewhere the signal itself ends the process.
 */
export function whileLoading(process: LoadingProcess): () => void {
  const stop = () => {
    for (const signal of signals) process.off(signal, end);
  };
  const end = (signal: Signal) => {
    stop();
    process.kill(process.pid, signal);
    process.exit(exitCodes[signal]);
  };
  for (const signal of signals) process.on(signal, end);
  return stop;
}

/** The process, as far as its signals are concerned. */
export interface SignalWorld {
  on(signal: Signal, listener: () => void): unknown;
  /** Monotonic, in milliseconds. */
  nowMs(): number;
  exit(code: number): void;
}

/**
 * A request to end often comes twice: Ctrl-C, or a supervisor that signals a process group, reaches the gateway
 * directly and again through npm, which passes signals on.
 */
const sameRequestMs = 1000;

/**
 * Resolves at the first signal, which drains. A later one ends the process at once.
 */
export function untilSignalled(world: SignalWorld): Promise<string> {
  return new Promise((resolve) => {
    let askedAtMs: number | undefined;
    for (const signal of signals) {
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

/**
 * Calls `reload` at SIGHUP, except at a terminal, where it means that the terminal is gone and still ends the process.
 */
export function onHangUp(
  world: { on(signal: 'SIGHUP', listener: () => void): unknown },
  isTerminal: boolean,
  reload: () => void,
): void {
  if (!isTerminal) world.on('SIGHUP', reload);
}
