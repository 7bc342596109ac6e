import { SluiceError } from '../errors.ts';
import type { Payer } from '../topics/payer.ts';
import { isPattern, prefixOf } from '../topics/topic-name.ts';
import { NestedPatterns } from './nested-patterns.ts';
import type { ViewOptions } from './view-options.ts';

/** The part of all places that one payer may take. */
const payerShare = 1 / 4;
/** The part that those without a key or token may take together; half of it those of one address. */
const unverifiedShare = 1 / 2;

/** How many patterns of one payer may match the same topic, or more where it may have more views of one target. */
const nestedMax = 16;
/** Characters of the keys and filters of all views, of which filters are kept twice. A message may have 512 KiB. */
const selectionsMax = 32 * 2 ** 20;

/**
 * Whether the view takes a place: a client can ask for any number of views with keys, a filter or an interval. There
 * are no more plain views than topics.
 */
export function takesPlace({ filter, intervalMs, keys }: ViewOptions): boolean {
  return filter !== undefined || intervalMs > 0 || keys !== undefined;
}

/** Places of one topic or of all: how many are taken, and how many by the views that each payer subscribes to. */
class ViewPlaces {
  taken = 0;
  #unverified = 0;
  readonly #held = new Map<string, number>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * A payer may take places up to its share, and no more than are free then: many payers that take all they can still
   * leave room for others. Undefined is the gateway itself, for which only the total counts.
   */
  hasRoom(payer: Payer | undefined, places = 1): boolean {
    const free = this.#max - this.taken;
    if (payer === undefined) return places <= free;
    const unverifiedMax = Math.ceil(this.#max * unverifiedShare);
    const freeForPayer = payer.isVerified ? free : Math.min(free, unverifiedMax - this.#unverified);
    const share = Math.ceil(this.#max * payerShare);
    if (payer.address !== undefined && this.#heldBy(payer.address) + places > share) return false;
    return this.#heldBy(payer.account) + places <= Math.min(share, freeForPayer);
  }

  #heldBy(account: string): number {
    return this.#held.get(account) ?? 0;
  }

  changeTaken(isVerified: boolean, by: number): void {
    this.taken += by;
    if (!isVerified) this.#unverified += by;
  }

  changeHeld(account: string, by: number): void {
    const held = this.#heldBy(account) + by;
    if (held > 0) this.#held.set(account, held);
    else this.#held.delete(account);
  }
}

/** A view that takes a place, or has a pattern. */
interface CountedView {
  readonly target: string;
  readonly takesPlace: boolean;
  /** Characters of its keys and filter. */
  readonly selection: number;
  /** Whether the payer that made it is verified. */
  readonly isVerified: boolean;
  /** Subscriptions by account. */
  readonly holders: Map<string, number>;
}

/** A subscription to a view. */
export interface ViewSubscription {
  readonly view: { readonly key: string; readonly subscriptions: number };
  readonly payer?: Payer | undefined;
}

export interface ViewLimits {
  readonly viewsPerTopic: number;
  readonly viewsMax: number;
}

/**
 * Limits the number of views with keys, a filter or an interval, and the part of them that one payer may have, and how
 * many patterns of a payer match one topic.
 */
export class ViewShares {
  readonly #limits: ViewLimits;
  readonly #all: ViewPlaces;
  readonly #selections = new ViewPlaces(selectionsMax);
  readonly #byTarget = new Map<string, ViewPlaces>();
  readonly #nested = new NestedPatterns();
  readonly #nestedMax: number;
  readonly #counted = new Map<string, CountedView>();

  constructor(limits: ViewLimits) {
    this.#limits = limits;
    this.#all = new ViewPlaces(limits.viewsMax);
    this.#nestedMax = Math.max(nestedMax, Math.ceil(limits.viewsPerTopic * payerShare));
  }

  /**
   * Takes a place for a new view where it needs one, or throws `too_many_views`. `ended`: subscriptions that end with
   * it.
   */
  make(
    key: string,
    options: ViewOptions,
    payer: Payer | undefined,
    ended: readonly ViewSubscription[],
  ): void {
    const { target, keys, filter } = options;
    const selection = (keys?.characters ?? 0) + (filter?.canonical.length ?? 0);
    const isVerified = payer?.isVerified ?? true;
    const view = { target, takesPlace: takesPlace(options), selection, isVerified };
    if (!view.takesPlace && !isPattern(target)) return;
    this.#without(ended, () => {
      this.#check(view, payer);
      this.#add(key, { ...view, holders: new Map() });
    });
  }

  #check({ target, takesPlace, selection }: Omit<CountedView, 'holders'>, payer: Payer | undefined): void {
    if (takesPlace) {
      const places = this.#byTarget.get(target) ?? new ViewPlaces(this.#limits.viewsPerTopic);
      if (!places.hasRoom(payer)) throw tooMany(`with keys, a filter or an interval for ${target}`);
      if (!this.#all.hasRoom(payer)) throw tooMany('with keys, a filter or an interval');
      if (selection > 0 && !this.#selections.hasRoom(payer, selection))
        throw tooMany('with such long keys and filters');
    }
    if (isPattern(target))
      for (const account of accountsOf(payer))
        if (this.#nested.mostAround(account, prefixOf(target)) >= this.#nestedMax)
          throw tooMany(`to patterns that match the same topics as ${target}`);
  }

  #add(key: string, view: CountedView): void {
    this.#counted.set(key, view);
    const { target, takesPlace, selection, isVerified } = view;
    if (!takesPlace) return;
    const places = this.#byTarget.get(target) ?? new ViewPlaces(this.#limits.viewsPerTopic);
    this.#byTarget.set(target, places);
    for (const each of [places, this.#all]) each.changeTaken(isVerified, 1);
    this.#selections.changeTaken(isVerified, selection);
  }

  /** Runs `make` as if these subscriptions had ended, and with them the views that no other has. */
  #without(ended: readonly ViewSubscription[], make: () => void): void {
    const released = ended.map(({ view: { key, subscriptions }, payer }) => {
      const counted = subscriptions === 1 ? this.#counted.get(key) : undefined;
      this.release(key, payer);
      if (counted !== undefined) this.end(key);
      return { key, payer, counted };
    });
    try {
      make();
    } finally {
      for (const { key, payer, counted } of released) {
        if (counted !== undefined) this.#add(key, counted);
        this.retain(key, payer);
      }
    }
  }

  /** The view is gone. */
  end(key: string): void {
    const counted = this.#counted.get(key);
    this.#counted.delete(key);
    if (counted?.takesPlace !== true) return;
    const places = this.#byTarget.get(counted.target) as ViewPlaces;
    for (const each of [places, this.#all]) each.changeTaken(counted.isVerified, -1);
    this.#selections.changeTaken(counted.isVerified, -counted.selection);
    if (places.taken === 0) this.#byTarget.delete(counted.target);
  }

  /** One more subscription of this payer to the view. */
  retain(key: string, payer: Payer | undefined): void {
    this.#count(key, payer, 1);
  }

  /** One subscription less. */
  release(key: string, payer: Payer | undefined): void {
    this.#count(key, payer, -1);
  }

  #count(key: string, payer: Payer | undefined, by: 1 | -1): void {
    const counted = this.#counted.get(key);
    if (counted !== undefined)
      for (const account of accountsOf(payer)) this.#countAccount(counted, account, by);
  }

  #countAccount(counted: CountedView, account: string, by: 1 | -1): void {
    const { target, takesPlace, selection, holders } = counted;
    const before = holders.get(account) ?? 0;
    if (before + by > 0) holders.set(account, before + by);
    else holders.delete(account);
    // Equal subscriptions share the view.
    if (before + (by > 0 ? 0 : by) > 0) return;
    if (takesPlace)
      for (const places of [this.#byTarget.get(target), this.#all]) places?.changeHeld(account, by);
    if (selection > 0) this.#selections.changeHeld(account, by * selection);
    if (isPattern(target)) this.#nested.count(account, prefixOf(target), by);
  }
}

/** The accounts that a payer is counted under. */
function accountsOf(payer: Payer | undefined): readonly string[] {
  if (payer === undefined) return [];
  return payer.address === undefined ? [payer.account] : [payer.account, payer.address];
}

function tooMany(what: string): SluiceError {
  return new SluiceError('too_many_views', `too many distinct subscriptions ${what}`);
}
