import type { Session } from './session.ts';
import { TokenBucket, TokenBuckets } from './token-bucket.ts';

/** What a command may take on average: with the rate of commands, the time of a second that one payer may use. */
const workMsPerCommand = 1;
/** A client may be refused this many times its rate, and this often at once, before it is ended. */
const refusalsPerCommand = 10;
const refusalsMin = 1000;
/** Of a reply, what takes about a millisecond to put together and write (`bench -- siege`). */
const bytesPerMs = 200 * 1024;
/** What takes less is paid for by the rate of commands. */
const freeMs = 0.05;

/**
 * How often a session may send a command, and how long all commands of its payer may take: those of a user's sessions
 * together, else of the session. What a command takes is known only afterwards, so a payer may be in debt; until it is
 * paid its commands are refused.
 */
export class CommandLimits {
  readonly #perSecond: number;
  readonly #nowMs: () => number;
  readonly #work: TokenBuckets;

  /** `nowMs`: milliseconds on a monotonic clock. */
  constructor(commandsPerSecond: number, nowMs: () => number) {
    this.#perSecond = commandsPerSecond;
    this.#nowMs = nowMs;
    const workMs = commandsPerSecond * workMsPerCommand;
    this.#work = new TokenBuckets(workMs, workMs, nowMs);
  }

  /** Takes a command: 0, or in how many milliseconds there may be one. */
  take(session: Session): number {
    return session.commandBucket.take(this.#nowMs()) || this.#work.waitMs(session.payer);
  }

  /** Counts a refusal; false: it goes on in spite of so many that it is to be ended. */
  refused(session: Session): boolean {
    const nowMs = this.#nowMs();
    const perSecond = refusalsPerCommand * this.#perSecond;
    session.refusalBucket ??= new TokenBucket(perSecond, Math.max(refusalsMin, perSecond), nowMs);
    return session.refusalBucket.take(nowMs) === 0;
  }

  /** Runs a part of a command, and charges the time that it takes. */
  timed<T>(session: Session, run: () => T): T {
    const startMs = this.#nowMs();
    try {
      return run();
    } finally {
      this.worked(session, startMs);
    }
  }

  /** On the clock of `worked`. */
  nowMs(): number {
    return this.#nowMs();
  }

  /** Charges the time since `startMs`. */
  worked(session: Session, startMs: number): void {
    const tookMs = this.#nowMs() - startMs;
    if (tookMs > freeMs) this.#work.spend(session.payer, tookMs);
  }

  /** Charges a large reply. */
  replied(session: Session, bytes: number): void {
    this.#work.spend(session.payer, bytes / bytesPerMs);
  }

  sweep(): void {
    this.#work.sweep();
  }
}
