import type { Awaitable } from '../awaitable.ts';
import { type ErrorCode, SluiceError } from '../errors.ts';

/** What the caps need to know of a connection. */
export interface Holder {
  /** The address, as connections are counted by it. */
  readonly addressKey: string;
  readonly user?: string | undefined;
  /** It has shown no credential yet, where one is needed. */
  readonly unauthenticated?: boolean | undefined;
}

export interface CapLimits {
  readonly connectionsMax: number;
  readonly connectionsMaxPerIp: number;
  /** For connections that have not authenticated yet; they do not count for `connectionsMaxPerIp`. */
  readonly unauthenticatedMaxPerIp: number;
  readonly connectionsMaxPerUser: number;
}

interface Cap {
  readonly limit: keyof CapLimits;
  readonly code: ErrorCode;
  readonly message?: string;
  /** Connections with the same key are counted together; undefined: the connection does not count. */
  readonly keyOf: (holder: Holder) => string | undefined;
}

/** Every cap on open connections. A new one is a new row; `Seat` takes its places and gives them back. */
const caps: readonly Cap[] = [
  { limit: 'connectionsMax', code: 'too_many_connections', keyOf: () => 'all' },
  {
    limit: 'connectionsMaxPerIp',
    code: 'too_many_connections_from_ip',
    keyOf: ({ addressKey, unauthenticated }) => (unauthenticated ? undefined : addressKey),
  },
  {
    limit: 'unauthenticatedMaxPerIp',
    code: 'too_many_connections_from_ip',
    message: 'this address has as many connections that have not authenticated as it may',
    keyOf: ({ addressKey, unauthenticated }) => (unauthenticated ? addressKey : undefined),
  },
  { limit: 'connectionsMaxPerUser', code: 'too_many_connections_of_user', keyOf: ({ user }) => user },
];

/** Sent as `Retry-After`. When a connection will end is not known. */
const fullRetryAfterMs = 5000;

/** The place of one connection under every cap. */
export interface Seat {
  /**
   * Changes the place to that of another identity. Returns why there is none; then the old place is kept. A seat that
   * was given back takes none.
   */
  move(holder: Holder): Awaitable<SluiceError | undefined>;
  /** Says which session has the place, where another one may take it over. */
  name?(session: string): void;
  /** Gives the place back. */
  leave(): void;
}

/** The places under all caps. */
export interface Caps {
  /** Connections that are open here. */
  readonly total: number;
  /** Counts that are kept. */
  readonly remembered: number;
  /** Why there is no place for one more connection like this one, as far as is known here. */
  problem(holder: Holder): SluiceError | undefined;
  /** `former`: the id of the session, if there is one, whose place it takes over. */
  take(holder: Holder, former?: string): Awaitable<Seat | SluiceError>;
}

/** Counts open connections under every cap. */
export class ConnectionCaps implements Caps {
  readonly #places: Occupancy;

  constructor(limits: CapLimits) {
    this.#places = new Occupancy(limits);
  }

  /** Connections that are open. */
  get total(): number {
    return this.#places.total;
  }

  /** Counts that are kept. */
  get remembered(): number {
    return this.#places.remembered;
  }

  /** Why there is no place for one more connection like this one. */
  problem(holder: Holder): SluiceError | undefined {
    return this.#places.problem(undefined, holder);
  }

  take(holder: Holder): TakenSeat | SluiceError {
    const seat = new TakenSeat(this.#places);
    return seat.move(holder) ?? seat;
  }
}

/** One for each connection: without closures or lists, which take more memory (`bench -- memory`). */
export class TakenSeat implements Seat {
  readonly #places: Occupancy;
  /** The holder of the place; undefined: it is not taken yet. */
  #holder: Holder | undefined;
  #isLeft = false;

  constructor(places: Occupancy) {
    this.#places = places;
  }

  move(holder: Holder): SluiceError | undefined {
    if (this.#isLeft) return undefined;
    const problem = this.#places.problem(this.#holder, holder);
    if (problem !== undefined) return problem;
    this.#places.change(this.#holder, holder);
    this.#holder = holder;
    return undefined;
  }

  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#places.change(this.#holder, undefined);
    this.#holder = undefined;
  }
}

/** How many places are taken, by cap and key. */
class Occupancy {
  readonly #limits: CapLimits;
  readonly #counts = caps.map(() => new Map<string, number>());

  constructor(limits: CapLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#counts[0]?.get('all') ?? 0;
  }

  get remembered(): number {
    return this.#counts.reduce((sum, counts) => sum + counts.size, 0);
  }

  problem(before: Holder | undefined, wanted: Holder): SluiceError | undefined {
    const full = caps.find((cap, index) => {
      const key = cap.keyOf(wanted);
      if (key === undefined || key === (before && cap.keyOf(before))) return false;
      return (this.#counts[index]?.get(key) ?? 0) >= this.#limits[cap.limit];
    });
    return full && new SluiceError(full.code, full.message, { retryAfterMs: fullRetryAfterMs });
  }

  change(before: Holder | undefined, after: Holder | undefined): void {
    for (let i = 0; i < caps.length; i++) {
      const { keyOf } = caps[i] as Cap;
      const [from, to] = [before && keyOf(before), after && keyOf(after)];
      if (from === to) continue;
      add(this.#counts[i] as Map<string, number>, from, -1);
      add(this.#counts[i] as Map<string, number>, to, 1);
    }
  }
}

function add(counts: Map<string, number>, key: string | undefined, change: number): void {
  if (key === undefined) return;
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
