import { SluiceError } from '../errors.ts';
import { LineBudget } from '../log/line-budget.ts';
import type { WarningLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Departing } from '../sessions/departure.ts';
import type { ByteCharges } from '../sessions/limits/charges.ts';
import type { Payer } from '../topics/payer.ts';
import type { HookName } from './contract.ts';
import { HookFailure } from './failure.ts';
import { addressOf, QuestionCounts } from './question-counts.ts';
import { QuestionQueue } from './question-queue.ts';

export interface GateOptions {
  readonly hook: HookName;
  /** How long a question may take, its wait included. This and `concurrency` are read for each question. */
  readonly timeoutMs: number;
  /** How many questions are asked at the same time. Others wait within `timeoutMs`; payers take turns. */
  readonly concurrency: number;
  /** The bytes of questions that wait or are being asked. */
  readonly held: ByteCharges;
  readonly monotonicMs: () => number;
  readonly metrics: Pick<Metrics, 'hookSeconds' | 'hookErrorsTotal' | 'hookDenialsTotal'>;
  readonly log: WarningLog;
}

/**
 * Charges the payer of a question for more bytes until its end, or, by a negative number, for fewer. Throws if there is
 * no room for them: the question is refused then, and its signal aborted.
 */
export type Hold = (bytes: number) => void;

/** Questions of all payers that may wait. */
const waitingMax = 1000;
/** What a question costs besides its bytes. */
const overheadBytes = 512;
const retryAfterMs = 1000;
/** Per kind of failure. */
const lineRate = { linesAtOnce: 1, everyMs: 10_000 };

/** Limits one hook: concurrent questions, waiting ones, the time of each, and the bytes of all. */
export class Gate {
  readonly #options: GateOptions;
  readonly #queue = new QuestionQueue();
  readonly #counts = new QuestionCounts();
  readonly #lines: LineBudget;
  readonly #seconds: { observe(value: number): void };

  constructor(options: GateOptions) {
    this.#options = options;
    this.#lines = new LineBudget(lineRate, options.monotonicMs);
    this.#seconds = options.metrics.hookSeconds.labels({ hook: options.hook });
  }

  /** The number of questions that wait or are being asked. */
  get size(): number {
    return this.#counts.total;
  }

  /**
   * Asks, and resolves with the answer, with a `HookFailure`, or with a `SluiceError` if the client asks for too much
   * at a time or leaves meanwhile. Never rejects. `bytes`: what is kept of the client's request; `run` tells `hold`
   * what it holds besides. It must end soon after its signal is aborted, but is not awaited then.
   */
  ask<T>(
    payer: Payer,
    bytes: number,
    run: (signal: AbortSignal, hold: Hold) => Promise<T>,
    onGone?: Departing['onGone'],
  ): Promise<T | HookFailure | SluiceError> {
    const { held, monotonicMs, timeoutMs } = this.#options;
    let charge = bytes + overheadBytes;
    const account = addressOf(payer);
    const refused = this.refusal(payer);
    if (refused !== undefined) return Promise.resolve(refused);
    if (!held.take(account, charge)) return Promise.resolve(tooMuch());
    this.#counts.add(payer);
    const startedAtMs = monotonicMs();
    return new Promise((resolve) => {
      const controller = new AbortController();
      let isOver = false;
      let forget = (): void => undefined;
      const settle = (outcome: T | HookFailure | SluiceError) => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        forget();
        this.#queue.remove(payer, start);
        held.give(account, charge);
        this.#counts.remove(payer);
        this.#seconds.observe((monotonicMs() - startedAtMs) / 1000);
        resolve(outcome instanceof HookFailure ? this.failed(outcome) : outcome);
        this.#startNext();
      };
      const timer = setTimeout(() => {
        giveUp(new HookFailure('timeout', `no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      const giveUp = (failure: HookFailure | SluiceError) => {
        settle(failure);
        controller.abort(failure);
      };
      const hold: Hold = (more) => {
        controller.signal.throwIfAborted();
        if (more <= 0) held.give(account, -more);
        else if (!held.take(account, more)) {
          giveUp(tooMuch());
          controller.signal.throwIfAborted();
        }
        charge += more;
      };
      const start = () => {
        run(controller.signal, hold).then(settle, (error: unknown) => settle(failureOf(error)));
      };
      this.#queue.add(payer, start);
      if (onGone !== undefined) forget = onGone(() => giveUp(clientGone()));
      this.#startNext();
    });
  }

  /** Why no further question of this payer is taken now, whatever its bytes. */
  refusal(payer: Payer): HookFailure | SluiceError | undefined {
    const free = waitingMax - this.#queue.size;
    if (!this.#counts.hasRoom(payer, Math.max(1, free))) return tooMuch();
    return free > 0 ? undefined : this.failed(new HookFailure('overloaded', 'too many questions wait'));
  }

  denied(): void {
    this.#options.metrics.hookDenialsTotal.inc({ hook: this.#options.hook });
  }

  #startNext(): void {
    while (this.#queue.size > 0 && this.#queue.taken < this.#options.concurrency) this.#queue.startNext();
  }

  /** Counts a failure, and logs it now and then. Returns it. */
  failed(failure: HookFailure): HookFailure {
    const { hook, metrics, log } = this.#options;
    const { kind, message, cause } = failure;
    metrics.hookErrorsTotal.inc({ hook, reason: kind });
    const unlogged = this.#lines.take(kind);
    // An error that the application's own function threw may be logged.
    if (unlogged !== undefined)
      log.warn({ hook, kind, err: cause, ...unlogged }, `a hook failed: ${message}`);
    return failure;
  }
}

function tooMuch(): SluiceError {
  return new SluiceError('rate_limited', 'too much of this client waits for the application', {
    retryAfterMs,
  });
}

function clientGone(): SluiceError {
  return new SluiceError('shutting_down', 'the client is gone');
}

function failureOf(error: unknown): HookFailure {
  return error instanceof HookFailure ? error : new HookFailure('threw', 'it threw', undefined, error);
}
