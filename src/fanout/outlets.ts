import type { OutFrame, Sink } from './sink.ts';
import type { View } from './view.ts';

interface Outlet {
  readonly sink: Sink;
  /** Its members of all views. */
  members: number;
  /** Frames that it may still be sent in this turn. */
  left: number;
}

/** With fewer, a frame that excepts a session would never be published. */
const framesMinPerTurn = 2;

/**
 * The sinks that have members. A frame goes to each sink that has members of its view, within that sink's budget of
 * this turn.
 */
export class Outlets {
  /**
   * By the number that views count their members under. The place of a sink that was dropped is taken by the next one.
   */
  readonly #outlets: (Outlet | undefined)[] = [];
  /** Outlets with a budget left, of all that there are. */
  #open = 0;
  #size = 0;
  #hasSent = false;

  /** No sink can take another frame in this turn. */
  get isExhausted(): boolean {
    return this.#open === 0 && this.#size > 0;
  }

  /** A frame was published in this turn. */
  get hasSent(): boolean {
    return this.#hasSent;
  }

  addMember(view: View, sink: Sink): void {
    const number = this.#numberOf(sink);
    (this.#outlets[number] as Outlet).members++;
    view.addMember(number);
  }

  removeMember(view: View, sink: Sink): void {
    const number = this.#numberOf(sink);
    (this.#outlets[number] as Outlet).members--;
    view.removeMember(number);
  }

  /** Renews the budgets. Drops sinks without members, once they have seen the end of the turn before. */
  beginTurn(): void {
    const outlets = this.#outlets;
    for (let number = 0; number < outlets.length; number++) {
      const outlet = outlets[number];
      if (outlet === undefined) continue;
      outlet.sink.beginTurn();
      outlet.left = outlet.sink.framesMaxPerTurn;
      if (outlet.members > 0) continue;
      outlets[number] = undefined;
      this.#size--;
    }
    this.#open = this.#size;
    this.#hasSent = false;
  }

  /** The sinks tell what was dropped of the frames sent so far, which must have drained. */
  tellDrops(): void {
    if (this.#hasSent) for (const outlet of this.#outlets) outlet?.sink.beginTurn();
  }

  /** How many more frames of this view may be published in this turn. */
  budgetOf(view: View): number {
    let budget = Number.POSITIVE_INFINITY;
    for (let number = 0; number < this.#outlets.length; number++) {
      const outlet = this.#outlets[number];
      if (outlet !== undefined && view.membersOf(number) > 0 && outlet.left < budget) budget = outlet.left;
    }
    return budget;
  }

  /** An empty frame is not sent. */
  publish(frame: OutFrame): void {
    const { view } = frame;
    if (frame.bytes.length === 0) return;
    view.sent();
    this.#hasSent = true;
    for (let number = 0; number < this.#outlets.length; number++) {
      const members = view.membersOf(number);
      if (members === 0) continue;
      const outlet = this.#outlets[number] as Outlet;
      this.#spend(outlet, 1);
      outlet.sink.publish(frame, members);
    }
  }

  publishExcept(frame: OutFrame, except: string, instead: () => OutFrame): void {
    const { view } = frame;
    view.sent();
    this.#hasSent = true;
    for (let number = 0; number < this.#outlets.length; number++) {
      const members = view.membersOf(number);
      if (members === 0) continue;
      const outlet = this.#outlets[number] as Outlet;
      this.#spend(outlet, 2);
      outlet.sink.publishExcept(frame, members, except, instead);
    }
  }

  /**
   * Nothing more is published to this view in this turn: its next frames need more than its budget. Its sinks with more
   * left than that still take frames of other views.
   */
  exhaust(view: View): void {
    const budget = this.budgetOf(view);
    for (let number = 0; number < this.#outlets.length; number++) {
      if (view.membersOf(number) === 0) continue;
      const outlet = this.#outlets[number] as Outlet;
      if (outlet.left === budget) this.#spend(outlet, budget);
    }
  }

  #spend(outlet: Outlet, frames: number): void {
    if (outlet.left === 0) return;
    outlet.left -= frames;
    if (outlet.left === 0) this.#open--;
  }

  /** The number of a sink; a new one if it has none. */
  #numberOf(sink: Sink): number {
    const existing = this.#outlets.findIndex((outlet) => outlet?.sink === sink);
    if (existing !== -1) return existing;
    checkBudget(sink);
    const free = this.#outlets.indexOf(undefined);
    const number = free === -1 ? this.#outlets.length : free;
    this.#outlets[number] = { sink, members: 0, left: sink.framesMaxPerTurn };
    this.#size++;
    this.#open++;
    return number;
  }
}

function checkBudget({ transport, framesMaxPerTurn }: Sink): void {
  if (Number.isSafeInteger(framesMaxPerTurn) && framesMaxPerTurn >= framesMinPerTurn) return;
  throw new Error(
    `the sink of ${transport} must take an integer of at least ${framesMinPerTurn} frames a turn, not ${framesMaxPerTurn}`,
  );
}
