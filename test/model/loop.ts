import type { Turns } from '../../src/fanout/turns.ts';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** An event loop that goes on only when it is told to, on a clock of its own. */
export class Loop implements Turns {
  #nowMs: number;
  #before: (() => void)[] = [];
  #immediates: (() => void)[] = [];
  #timers: Timer[] = [];
  /** Something that takes no time of this clock is not done yet. */
  waitsFor: () => boolean = () => false;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  readonly nowMs = (): number => this.#nowMs;

  atTurnEnd(run: () => void): void {
    this.#immediates.push(run);
  }

  beforeTurnEnd(run: () => void): void {
    this.#before.push(run);
  }

  after(delayMs: number, run: () => void): void {
    this.#timers.push({ atMs: this.#nowMs + delayMs, run });
    this.#timers.sort((a, b) => a.atMs - b.atMs);
  }

  readonly wait = (delayMs: number): Promise<void> => new Promise((resolve) => this.after(delayMs, resolve));

  /** Nothing is asked for at the end of the turn. */
  get isQuiet(): boolean {
    return this.#before.length + this.#immediates.length === 0;
  }

  /** When the next timer is due. */
  get nextMs(): number {
    return this.#timers[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  moveTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }

  /** One turn in the order of Node's phases: timers, `poll`, the end of the turn. `between`: uWebSockets.js drains. */
  async turn(poll: () => void, between: () => void): Promise<void> {
    while (this.nextMs <= this.#nowMs) this.#timers.shift()?.run();
    await this.#settle();
    between();
    poll();
    await this.#settle();
    for (const run of [...this.#before.splice(0), ...this.#immediates.splice(0)]) run();
    await this.#settle();
    between();
  }

  async #settle(): Promise<void> {
    await promises();
    for (let i = 0; i < 1000 && this.waitsFor(); i++) await promises();
  }
}

/** A process on a loop: what it has asked for is not run any more once it is over. */
export class Process implements Turns {
  readonly #loop: Loop;
  #isOver = false;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  end(): void {
    this.#isOver = true;
  }

  readonly nowMs = (): number => this.#loop.nowMs();

  atTurnEnd(run: () => void): void {
    this.#loop.atTurnEnd(this.#alive(run));
  }

  beforeTurnEnd(run: () => void): void {
    this.#loop.beforeTurnEnd(this.#alive(run));
  }

  after(delayMs: number, run: () => void): void {
    this.#loop.after(delayMs, this.#alive(run));
  }

  readonly wait = (delayMs: number): Promise<void> => new Promise((resolve) => this.after(delayMs, resolve));

  #alive(run: () => void): () => void {
    return () => {
      if (!this.#isOver) run();
    };
  }
}

/** Resolves when all promises that can go on have gone on. */
export const promises = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
