import { SluiceError } from '../errors.ts';
import type { Payer } from '../topics/payer.ts';
import type { ViewOptions } from './view-options.ts';

/** The part of all places that one payer may take. */
const payerShare = 1 / 4;
/** The part that those without a key or token may take together; half of it those of one address. */
const unverifiedShare = 1 / 2;

/**
 * Whether the view counts: a client can ask for any number of views with keys, a filter or an interval. There are no
 * more plain views than topics.
 */
export function takesPlace({ filter, intervalMs, keys }: ViewOptions): boolean {
  return filter !== undefined || intervalMs > 0 || keys !== undefined;
}

/** Places for views, of one topic or of all: how many are taken, and how many views each payer subscribes to. */
class ViewPlaces {
  taken = 0;
  #unverified = 0;
  readonly #held = new Map<string, number>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * A payer may make one more view while it has less than its share, and less than what is free: many payers that take
   * all they can still leave room for others. Undefined is the gateway itself, for which only the total counts.
   */
  hasRoom(payer: Payer | undefined): boolean {
    const free = this.#max - this.taken;
    if (payer === undefined) return free > 0;
    const unverifiedMax = Math.ceil(this.#max * unverifiedShare);
    const freeForPayer = payer.isVerified ? free : Math.min(free, unverifiedMax - this.#unverified);
    const share = Math.ceil(this.#max * payerShare);
    if (payer.address !== undefined && this.#heldBy(payer.address) >= share) return false;
    return this.#heldBy(payer.account) < Math.min(share, freeForPayer);
  }

  #heldBy(account: string): number {
    return this.#held.get(account) ?? 0;
  }

  made(isVerified: boolean, by: number): void {
    this.taken += by;
    if (!isVerified) this.#unverified += by;
  }

  count(account: string, by: number): void {
    const held = this.#heldBy(account) + by;
    if (held > 0) this.#held.set(account, held);
    else this.#held.delete(account);
  }
}

/** A view that takes a place. */
interface Placed {
  readonly target: string;
  /** Whether the payer that made it is verified. */
  readonly isVerified: boolean;
  /** Subscriptions by account. */
  readonly holders: Map<string, number>;
}

/** A subscription to a view. */
export interface Attached {
  readonly view: { readonly key: string; readonly subscriptions: number };
  readonly payer?: Payer | undefined;
}

export interface ViewLimits {
  readonly viewsPerTopic: number;
  readonly viewsMax: number;
}

/** Limits the number of views with keys, a filter or an interval, and the part of them that one payer may have. */
export class ViewShares {
  readonly #limits: ViewLimits;
  readonly #all: ViewPlaces;
  readonly #byTarget = new Map<string, ViewPlaces>();
  readonly #placed = new Map<string, Placed>();

  constructor(limits: ViewLimits) {
    this.#limits = limits;
    this.#all = new ViewPlaces(limits.viewsMax);
  }

  /** Takes a place for a new view, or throws `too_many_views`. */
  make(key: string, { target }: ViewOptions, payer: Payer | undefined): void {
    const places = this.#byTarget.get(target) ?? new ViewPlaces(this.#limits.viewsPerTopic);
    if (!places.hasRoom(payer)) throw tooMany(`with keys, a filter or an interval for ${target}`);
    if (!this.#all.hasRoom(payer)) throw tooMany('with keys, a filter or an interval');
    this.#place(key, { target, isVerified: payer?.isVerified ?? true, holders: new Map() });
  }

  #place(key: string, placed: Placed): void {
    const { target, isVerified } = placed;
    const places = this.#byTarget.get(target) ?? new ViewPlaces(this.#limits.viewsPerTopic);
    this.#byTarget.set(target, places);
    this.#placed.set(key, placed);
    for (const each of [places, this.#all]) each.made(isVerified, 1);
  }

  /** Runs `make` as if these subscriptions had ended, and with them the views that no other has. */
  without(ended: readonly Attached[], make: () => void): void {
    const taken = ended.map(({ view: { key, subscriptions }, payer }) => {
      const placed = subscriptions === 1 ? this.#placed.get(key) : undefined;
      this.release(key, payer);
      if (placed !== undefined) this.end(key);
      return { key, payer, placed };
    });
    try {
      make();
    } finally {
      for (const { key, payer, placed } of taken) {
        if (placed !== undefined) this.#place(key, placed);
        this.retain(key, payer);
      }
    }
  }

  /** The view is gone. */
  end(key: string): void {
    const placed = this.#placed.get(key);
    if (placed === undefined) return;
    this.#placed.delete(key);
    const places = this.#byTarget.get(placed.target) as ViewPlaces;
    for (const each of [places, this.#all]) each.made(placed.isVerified, -1);
    if (places.taken === 0) this.#byTarget.delete(placed.target);
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
    const placed = this.#placed.get(key);
    if (placed === undefined || payer === undefined) return;
    this.#countAccount(placed, payer.account, by);
    if (payer.address !== undefined) this.#countAccount(placed, payer.address, by);
  }

  #countAccount(placed: Placed, account: string, by: 1 | -1): void {
    const before = placed.holders.get(account) ?? 0;
    if (before + by > 0) placed.holders.set(account, before + by);
    else placed.holders.delete(account);
    // Equal subscriptions share the view.
    if (before + (by > 0 ? 0 : by) > 0) return;
    for (const places of [this.#byTarget.get(placed.target), this.#all]) places?.count(account, by);
  }
}

function tooMany(what: string): SluiceError {
  return new SluiceError('too_many_views', `too many distinct subscriptions ${what}`);
}
