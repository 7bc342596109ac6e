import type { Awaitable } from '../../awaitable.ts';
import { type ErrorCode, SluiceError } from '../../errors.ts';
import type { NodeCounts } from '../../topics/engine.ts';

/** What the caps need to know of a connection. */
export interface Holder {
  /** The address, as connections are counted by it. */
  readonly addressKey: string;
  readonly user?: string | undefined;
  /** It has to show a credential, and has not yet. */
  readonly unauthenticated?: boolean | undefined;
}

interface Cap<Limit = string> {
  /** The option that sets it. */
  readonly limit: Limit;
  readonly code: ErrorCode;
  readonly message?: string;
  /** Holds for all nodes together, which know its keys by this prefix; absent: each node has its own. */
  readonly shared?: string;
  /** Connections with the same key are counted together; undefined: the connection does not count. */
  readonly keyOf: (holder: Holder) => string | undefined;
}

/**
 * Every cap on open connections. A new one is a new row and the option that it names: `Seat` takes its places and gives
 * them back, a test of all caps has it, and LIMITS.md follows.
 */
const capTable = [
  { limit: 'connectionsMax', code: 'too_many_connections', keyOf: () => 'all' },
  {
    limit: 'connectionsMaxPerIp',
    code: 'too_many_connections_from_ip',
    shared: 'ip',
    keyOf: ({ addressKey, unauthenticated }) => (unauthenticated ? undefined : addressKey),
  },
  {
    // These do not count for `connectionsMaxPerIp`.
    limit: 'unauthenticatedMaxPerIp',
    code: 'too_many_connections_from_ip',
    message: 'too many connections of this address have not authenticated',
    shared: 'unauthenticated',
    keyOf: ({ addressKey, unauthenticated }) => (unauthenticated ? addressKey : undefined),
  },
  {
    limit: 'connectionsMaxPerUser',
    code: 'too_many_connections_of_user',
    shared: 'user',
    keyOf: ({ user }) => user,
  },
] as const satisfies readonly Cap[];

type CapName = (typeof capTable)[number]['limit'];

/** How many connections each cap allows. */
export type CapLimits = Readonly<Record<CapName, number>>;

export const caps: readonly Cap<CapName>[] = capTable;

/** Sent as `Retry-After`. When a connection will end is not known. */
const fullRetryAfterMs = 5000;

/** The place of one connection under every cap. */
export interface Seat {
  /**
   * Changes the place to that of another identity. Returns why there is none; then the old place is kept. A seat that
   * was given back takes none.
   */
  move(holder: Holder): Awaitable<SluiceError | undefined>;
  /** Names the session that has the place, where another one may take it over. */
  name?(session: string): void;
  /** Gives the place back. */
  leave(): void;
}

/** The places under all caps. */
export interface Caps {
  /** Why there is no place for one more connection like this one, as far as is known here. */
  problem(holder: Holder): SluiceError | undefined;
  /** `former`: the id of the session, if there is one, whose place it takes over. */
  take(holder: Holder, former?: string): Awaitable<Seat | SluiceError>;
}

/** What all nodes count together, see `NodeCounts`. */
export type SharedCounts = Pick<NodeCounts, 'set' | 'elsewhere'>;

/** Counts open connections under every cap. */
export class ConnectionCaps implements Caps {
  readonly #places: TakenPlaces;

  /** `shared`: absent: this node is alone. */
  constructor(limits: CapLimits, shared?: SharedCounts) {
    this.#places = new TakenPlaces(limits, shared);
  }

  /** Why there is no place for one more connection like this one; `here`: whatever other nodes have. */
  problem(holder: Holder, here?: 'here'): SluiceError | undefined {
    return this.#places.problem(undefined, holder, here);
  }

  take(holder: Holder): TakenSeat | SluiceError {
    const seat = new TakenSeat(this.#places);
    return seat.move(holder) ?? seat;
  }

  /** The same, whatever other nodes have. */
  takeHere(holder: Holder): TakenSeat | SluiceError {
    const seat = new TakenSeat(this.#places);
    return seat.move(holder, 'here') ?? seat;
  }
}

/**
 * There is one for each connection, so its holder is in plain fields: an object of its own takes more memory (`bench --
 * memory`).
 */
export class TakenSeat implements Seat {
  readonly #places: TakenPlaces;
  #state: 'free' | 'taken' | 'left' = 'free';
  // The holder of the place.
  #addressKey = '';
  #user: string | undefined;
  #unauthenticated = false;

  constructor(places: TakenPlaces) {
    this.#places = places;
  }

  move(holder: Holder, here?: 'here'): SluiceError | undefined {
    if (this.#state === 'left') return undefined;
    const before = this.#holder();
    const problem = this.#places.problem(before, holder, here);
    if (problem !== undefined) return problem;
    this.#places.change(before, holder);
    this.#state = 'taken';
    this.#addressKey = holder.addressKey;
    this.#user = holder.user;
    this.#unauthenticated = holder.unauthenticated === true;
    return undefined;
  }

  leave(): void {
    const before = this.#holder();
    this.#state = 'left';
    this.#places.change(before, undefined);
  }

  #holder(): Holder | undefined {
    if (this.#state !== 'taken') return undefined;
    return { addressKey: this.#addressKey, user: this.#user, unauthenticated: this.#unauthenticated };
  }
}

/** How many places are taken, by cap and key. */
class TakenPlaces {
  readonly #limits: CapLimits;
  readonly #shared: SharedCounts | undefined;
  readonly #counts = caps.map(() => new Map<string, number>());

  constructor(limits: CapLimits, shared: SharedCounts | undefined) {
    this.#limits = limits;
    this.#shared = shared;
  }

  problem(before: Holder | undefined, wanted: Holder, here?: 'here'): SluiceError | undefined {
    const elsewhere = here === undefined ? this.#shared : undefined;
    const full = caps.find((cap, index) => {
      const key = cap.keyOf(wanted);
      if (key === undefined || key === (before && cap.keyOf(before))) return false;
      const others = cap.shared === undefined ? 0 : (elsewhere?.elsewhere(sharedKey(cap.shared, key)) ?? 0);
      return (this.#counts[index]?.get(key) ?? 0) + others >= this.#limits[cap.limit];
    });
    return full && new SluiceError(full.code, full.message, { retryAfterMs: fullRetryAfterMs });
  }

  change(before: Holder | undefined, after: Holder | undefined): void {
    for (let i = 0; i < caps.length; i++) {
      const { keyOf } = caps[i] as Cap<CapName>;
      const [from, to] = [before && keyOf(before), after && keyOf(after)];
      if (from === to) continue;
      if (from !== undefined) this.#add(i, from, -1);
      if (to !== undefined) this.#add(i, to, 1);
    }
  }

  #add(index: number, key: string, change: number): void {
    const { shared, limit } = caps[index] as Cap<CapName>;
    const counts = this.#counts[index] as Map<string, number>;
    const count = (counts.get(key) ?? 0) + change;
    if (count === 0) counts.delete(key);
    else counts.set(key, count);
    if (shared !== undefined) this.#shared?.set(sharedKey(shared, key), count, this.#limits[limit]);
  }
}

function sharedKey(prefix: string, key: string): string {
  return `${prefix} ${key}`;
}
