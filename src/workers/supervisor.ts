import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';

/** How a process ended. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The process of one worker. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Resolves once it serves; rejects with what it could not start for. */
  readonly ready: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  /** Asks it to drain its connections and to end. */
  drain(): void;
  /** Ends it at once. */
  kill(): void;
}

export interface SupervisorOptions {
  readonly count: number;
  /** `index`: 0 to `count - 1`; a worker that replaces another has its index. */
  readonly spawn: (index: number) => WorkerProcess;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly metrics: Pick<Metrics, 'workerExitsTotal'>;
  readonly monotonicMs: () => number;
  readonly wait: (ms: number) => Promise<void>;
}

/** A worker that ends after serving for this long is replaced at once; one that ends sooner, after a growing delay. */
const wellAfterMs = 10_000;
const restartDelay = { firstMs: 100, mostMs: 5000 };

/** Starts the workers of a gateway, and replaces each that ends, until it is stopped. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers = new Map<number, WorkerProcess>();
  #isStopping = false;
  #ended: (() => void) | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Resolves once all workers serve. Rejects when one of them can't, or with the reason of `signal`; then all end.
   */
  async start(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { count } = this.#options;
    try {
      const served = Array.from({ length: count }, (_, index) => this.#spawn(index).ready);
      await (signal === undefined ? Promise.all(served) : orAborted(Promise.all(served), signal));
    } catch (error) {
      this.#isStopping = true;
      for (const worker of this.#workers.values()) worker.kill();
      await this.#gone();
      throw error;
    }
    for (const [index, worker] of this.#workers) void this.#watch(index, worker, 0);
  }

  /** Drains all workers. Those that are left after `graceMs` are killed. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    for (const worker of this.#workers.values()) worker.drain();
    const timer = setTimeout(() => {
      for (const [index, worker] of this.#workers) {
        this.#options.log.warn({ worker: index }, 'a worker did not drain in time and is killed');
        worker.kill();
      }
    }, graceMs);
    await this.#gone();
    clearTimeout(timer);
  }

  #spawn(index: number): WorkerProcess {
    const worker = this.#options.spawn(index);
    this.#workers.set(index, worker);
    void worker.exited.then(() => {
      if (this.#workers.get(index) !== worker) return;
      this.#workers.delete(index);
      if (this.#workers.size === 0) this.#ended?.();
    });
    return worker;
  }

  /** Waits for the end of a worker, and then starts another. `failures`: how many before it in a row ended soon. */
  async #watch(index: number, worker: WorkerProcess, failures: number): Promise<void> {
    const { log, metrics, monotonicMs, wait } = this.#options;
    const startedAtMs = monotonicMs();
    worker.ready.catch(() => undefined);
    const { code, signal } = await worker.exited;
    if (this.#isStopping) return;
    metrics.workerExitsTotal.inc();
    const wasWell = monotonicMs() - startedAtMs >= wellAfterMs;
    const delayMs = wasWell ? 0 : Math.min(restartDelay.firstMs * 2 ** failures, restartDelay.mostMs);
    log.error(
      { worker: index, pid: worker.pid, code, signal, delayMs },
      'a worker has ended: another one is started',
    );
    if (delayMs > 0) await wait(delayMs);
    if (!this.#isStopping) void this.#watch(index, this.#spawn(index), wasWell ? 0 : failures + 1);
  }

  async #gone(): Promise<void> {
    if (this.#workers.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
  }
}

async function orAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  return Promise.race([result, aborted]).finally(() => signal.removeEventListener('abort', abort));
}
