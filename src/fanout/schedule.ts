import type { Turns } from './turns.ts';

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

/** How many ready items of a group are in the list at a time. */
const placesOfGroup = 8;

/** Items that share a few places in the list of ready ones, so that other items never wait for all of them. */
export class ReadyGroup<T> {
  readonly #waiting = new Queue<T>();
  #listed = 0;

  /** Whether this item takes a place in the list, rather than wait for one. */
  takesPlace(item: T): boolean {
    if (this.#listed === placesOfGroup) this.#waiting.push(item);
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
  readonly readyGroup: ReadyGroup<T> | undefined;
  #due: 'idle' | 'waiting' | 'ready' = 'idle';
  /** While it waits: until when. */
  #dueAtMs = 0;

  /** `readyGroup`: undefined: it has a place of its own. */
  constructor(readyGroup?: ReadyGroup<T>) {
    this.readyGroup = readyGroup;
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
  isArmed: boolean;
}

/**
 * Decides which item is worked on next. Items that wait the same time are in one lane, in the order of their time, so
 * that waiting costs O(1) and one timer a lane. Ready items are worked on at the end of the turn, in order, as many as
 * `work` takes; the rest at the end of the next one. Those of a `ReadyGroup` are in order among themselves.
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
    if (item.readyGroup?.takesPlace(item) !== false) this.#ready.push(item);
    this.wake();
  }

  /** The item is to be worked on in `delayMs`, unless it gets ready sooner or waits for less already. */
  wait(item: T, delayMs: number): void {
    const atMs = this.#turns.nowMs() + delayMs;
    if (!item.waitUntil(atMs)) return;
    let lane = this.#lanes.get(delayMs);
    if (lane === undefined) {
      lane = { items: [], isArmed: false };
      this.#lanes.set(delayMs, lane);
    }
    lane.items.push({ item, atMs });
    if (!lane.isArmed) this.#arm(lane, delayMs, delayMs);
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
    const following = item.readyGroup?.next();
    if (following !== undefined) this.#ready.push(following);
    item.becomeIdle();
    return item;
  }

  #arm(lane: Lane<T>, delayMs: number, inMs: number): void {
    lane.isArmed = true;
    this.#turns.after(inMs, () => {
      lane.isArmed = false;
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
