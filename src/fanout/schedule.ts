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

/** The queue drops what was taken at this length: under constant load it never runs empty. */
const compactAt = 1024;

/** First in, first out, each in constant time. */
class Queue<T> {
  #items: T[] = [];
  #head = 0;

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) {
      this.#items = [];
      this.#head = 0;
      return undefined;
    }
    this.#items[this.#head++] = undefined as never;
    if (this.#head >= compactAt && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** How many ready items of a share are in the list at a time. */
const placesOfShare = 8;

/** Items that share a few places in the list of ready ones, so that other items never wait for all of them. */
export class Share<T> {
  readonly #waiting = new Queue<T>();
  #listed = 0;

  /** Whether this item takes a place in the list, rather than wait for one. */
  takesPlace(item: T): boolean {
    if (this.#listed === placesOfShare) this.#waiting.push(item);
    else this.#listed++;
    return this.#waiting.isEmpty;
  }

  /** One has left the list. Returns the item that takes its place. */
  next(): T | undefined {
    const item = this.#waiting.shift();
    if (item === undefined) this.#listed--;
    return item;
  }
}

/** Something with work to do: now, later, or not at all. Only a `Schedule` calls its methods. */
export abstract class Scheduled<T> {
  readonly share: Share<T> | undefined;
  #due: 'idle' | 'waiting' | 'ready' = 'idle';
  /** While it waits: until when. */
  #dueAtMs = 0;

  /** `share`: undefined: it has a place of its own. */
  constructor(share?: Share<T>) {
    this.share = share;
  }

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

interface Lane<T> {
  readonly items: { readonly item: T; readonly atMs: number }[];
  armed: boolean;
}

/**
 * Decides which item is worked on next. Items that wait the same time are in one lane, in the order of their time, so
 * that waiting costs O(1) and one timer a lane. Ready items are worked on at the end of the turn, in order, as many as
 * `work` takes; the rest at the end of the next one. Those of a `Share` are in order among themselves.
 */
export class Schedule<T extends Scheduled<T>> {
  readonly #turns: Turns;
  readonly #work: (next: () => T | undefined) => boolean;
  readonly #lanes = new Map<number, Lane<T>>();
  readonly #ready = new Queue<T>();
  #turnAsked = false;

  /** `work` takes ready items by `next` and returns whether it wants another turn though none may be left. */
  constructor(turns: Turns, work: (next: () => T | undefined) => boolean) {
    this.#turns = turns;
    this.#work = work;
  }

  /** The item is to be worked on at the end of this turn. */
  ready(item: T): void {
    if (!item.becomeReady()) return;
    if (item.share?.takesPlace(item) !== false) this.#ready.push(item);
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
      if (again || !this.#ready.isEmpty) this.wake();
    });
  }

  #next(): T | undefined {
    const item = this.#ready.shift();
    if (item === undefined) return undefined;
    const following = item.share?.next();
    if (following !== undefined) this.#ready.push(following);
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
