import type { Session } from '../session.ts';
import { type Arrival, TokenBuckets, TokenRate } from './token-bucket.ts';

/**
 * The time that a command may take on average. Multiplied by the rate of commands it is the part of a second that one
 * payer may use.
 */
const workMsPerCommand = 1;
/** A client is ended when its refusals exceed this multiple of its rate, or this burst. */
const refusalsPerCommand = 10;
const refusalBurstMin = 1000;
/** A reply of this size is charged as a millisecond. An estimate: `bench -- siege` shows that it suffices. */
const bytesPerMs = 200 * 1024;
/** Less time than this is covered by the rate of commands. */
const freeMs = 0.15;

/** How many commands a session may send. */
export function commandRate(commandsPerSecond: number): TokenRate {
  return new TokenRate(commandsPerSecond, commandsPerSecond);
}

/** How often a session may be refused before it is ended. */
export function refusalRate(commandsPerSecond: number): TokenRate {
  const perSecond = refusalsPerCommand * commandsPerSecond;
  return new TokenRate(perSecond, Math.max(refusalBurstMin, perSecond));
}

/**
 * Limits how many commands a session sends, and how much time the commands of its payer take: of all sessions of a
 * user, or of the session itself. The time of a command is known only afterwards, so a payer can be in debt. Until
 * the debt is paid, its commands are refused.
 */
export class CommandLimits {
  readonly #arrival: Arrival;
  readonly #workMs: () => number;
  readonly #work: TokenBuckets;
  /** Work is being timed, and all work that it calls with it. */
  #isTiming = false;

  /** `workMs`: milliseconds on a clock that counts only this thread's work. */
  constructor(commandsPerSecond: number, arrival: Arrival, workMs: () => number) {
    this.#arrival = arrival;
    this.#workMs = workMs;
    const perSecondMs = workPerSecondMs(commandsPerSecond);
    this.#work = new TokenBuckets(perSecondMs, perSecondMs, arrival);
  }

  /** Changes what the commands of a payer may take. */
  limit(commandsPerSecond: number): void {
    const perSecondMs = workPerSecondMs(commandsPerSecond);
    this.#work.limit(perSecondMs, perSecondMs);
  }

  /** Takes a command. Returns 0, or the milliseconds to wait before the next. */
  take(session: Session): number {
    return session.takeCommand(this.#arrival.nowMs()) || this.#work.waitMs(session.payer.account);
  }

  /** Counts a refusal. False: there were too many, and the session is to be ended. */
  refused(session: Session): boolean {
    return session.takeRefusal(this.#arrival.nowMs());
  }

  /** Runs a command of the session, or a part of one, and charges the time that it takes, once. */
  timed(session: Session, run: () => void): void {
    if (this.#isTiming) {
      run();
      return;
    }
    const startMs = this.#workMs();
    this.#isTiming = true;
    try {
      run();
    } finally {
      this.#isTiming = false;
      this.#worked(session, startMs);
    }
  }

  #worked(session: Session, startMs: number): void {
    const tookMs = this.#workMs() - startMs;
    if (tookMs > freeMs) this.#work.spend(session.payer.account, tookMs);
  }

  /** Charges a large reply. */
  replied(session: Session, bytes: number): void {
    this.#work.spend(session.payer.account, bytes / bytesPerMs);
  }

  sweep(): void {
    this.#work.sweep();
  }
}

function workPerSecondMs(commandsPerSecond: number): number {
  return commandsPerSecond * workMsPerCommand;
}
