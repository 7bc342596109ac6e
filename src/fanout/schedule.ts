/** The event loop as the fan-out needs it; tests bring their own. */
export interface Turns {
  /** Milliseconds on a monotonic clock. */
  nowMs(): number;
  /** Runs at the end of the current turn of the event loop; what is published then is written right after it. */
  atTurnEnd(run: () => void): void;
  /**
   * The same, before all that `atTurnEnd` was asked for: a member joins or leaves a view when nothing of the view is
   * published and not yet written.
   */
  beforeTurnEnd(run: () => void): void;
  after(delayMs: number, run: () => void): void;
}

class EventLoop implements Turns {
  #before: (() => void)[] = [];
  #end: (() => void)[] = [];
  #asked = false;

  readonly nowMs = (): number => performance.now();

  atTurnEnd(run: () => void): void {
    this.#end.push(run);
    this.#ask();
  }

  beforeTurnEnd(run: () => void): void {
    this.#before.push(run);
    this.#ask();
  }

  after(delayMs: number, run: () => void): void {
    setTimeout(run, delayMs).unref();
  }

  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    setImmediate(() => {
      this.#asked = false;
      const runs = [...this.#before, ...this.#end];
      this.#before = [];
      this.#end = [];
      for (const run of runs) run();
    });
  }
}

export const eventLoop: Turns = new EventLoop();

/** Something with work to do: now, later, or not at all. Only a `Schedule` calls its methods. */
export abstract class Scheduled {
  #due: 'idle' | 'waiting' | 'ready' = 'idle';
  /** While it waits: until when. */
  #dueAtMs = 0;

  get due(): 'idle' | 'waiting' | 'ready' {
    return this.#due;
  }

  /** False: it is ready already. */
  becomeReady(): boolean {
    if (this.#due === 'ready') return false;
    this.#due = 'ready';
    return true;
  }

  /** False: it is ready, or waits for an earlier time. */
  waitUntil(atMs: number): boolean {
    if (this.#due === 'ready' || (this.#due === 'waiting' && this.#dueAtMs <= atMs)) return false;
    this.#due = 'waiting';
    this.#dueAtMs = atMs;
    return true;
  }

  /** It may have been worked on since it began to wait for this time, and wait for another one. */
  waitsUntil(atMs: number): boolean {
    return this.#due === 'waiting' && this.#dueAtMs === atMs;
  }

  /** It is being worked on. */
  becomeIdle(): void {
    this.#due = 'idle';
  }
}

/** The ready list drops finished items at this length: under constant load it never runs empty. */
const compactAt = 1024;

interface Lane<T> {
  readonly items: { readonly item: T; readonly atMs: number }[];
  armed: boolean;
}

/**
 * Decides which item is worked on next. Items that wait the same time are in one lane, in the order of their time, so
 * that waiting costs O(1) and one timer a lane. Ready items are worked on at the end of the turn, in order, as many as
 * `work` takes; the rest at the end of the next one.
 */
export class Schedule<T extends Scheduled> {
  readonly #turns: Turns;
  readonly #work: (next: () => T | undefined) => boolean;
  readonly #lanes = new Map<number, Lane<T>>();
  #ready: T[] = [];
  #head = 0;
  #turnAsked = false;

  /** `work` takes ready items by `next` and returns whether it wants another turn though none may be left. */
  constructor(turns: Turns, work: (next: () => T | undefined) => boolean) {
    this.#turns = turns;
    this.#work = work;
  }

  /** The item is to be worked on at the end of this turn. */
  ready(item: T): void {
    if (!item.becomeReady()) return;
    this.#ready.push(item);
    this.wake();
  }

  /** The item is to be worked on in `delayMs`, unless it gets ready sooner or waits for less already. */
  wait(item: T, delayMs: number): void {
    const atMs = this.#turns.nowMs() + delayMs;
    if (!item.waitUntil(atMs)) return;
    let lane = this.#lanes.get(delayMs);
    if (lane === undefined) {
      lane = { items: [], armed: false };
      this.#lanes.set(delayMs, lane);
    }
    lane.items.push({ item, atMs });
    if (!lane.armed) this.#arm(lane, delayMs, delayMs);
  }

  /** Asks for a turn, with or without ready items. */
  wake(): void {
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    this.#turns.atTurnEnd(() => {
      this.#turnAsked = false;
      const again = this.#work(() => this.#next());
      if (again || this.#head < this.#ready.length) this.wake();
    });
  }

  #next(): T | undefined {
    const item = this.#ready[this.#head];
    if (item === undefined) {
      this.#ready = [];
      this.#head = 0;
      return undefined;
    }
    this.#ready[this.#head++] = undefined as never;
    if (this.#head >= compactAt && this.#head * 2 >= this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head);
      this.#head = 0;
    }
    item.becomeIdle();
    return item;
  }

  #arm(lane: Lane<T>, delayMs: number, inMs: number): void {
    lane.armed = true;
    this.#turns.after(inMs, () => {
      lane.armed = false;
      const nowMs = this.#turns.nowMs();
      let due = 0;
      // A timer may come up to a millisecond early.
      while (due < lane.items.length && (lane.items[due]?.atMs ?? 0) <= nowMs + 1) due++;
      for (const { item, atMs } of lane.items.splice(0, due)) {
        if (item.waitsUntil(atMs)) this.ready(item);
      }
      const next = lane.items[0];
      if (next !== undefined) this.#arm(lane, delayMs, Math.max(1, next.atMs - nowMs));
      else this.#lanes.delete(delayMs);
    });
  }
}
