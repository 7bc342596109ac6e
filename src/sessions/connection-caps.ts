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
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  /** For connections that have not authenticated yet; they do not count for `maxConnectionsPerIp`. */
  readonly maxUnauthenticatedPerIp: number;
  readonly maxConnectionsPerUser: number;
}

interface Cap {
  readonly limit: keyof CapLimits;
  readonly code: ErrorCode;
  readonly message?: string;
  /** Connections with the same key are counted together; undefined: the connection does not count. */
  keyOf(holder: Holder): string | undefined;
}

/** Every cap on open connections. A new one is a new row; `Seat` takes its places and gives them back. */
const caps: readonly Cap[] = [
  { limit: 'maxConnections', code: 'too_many_connections', keyOf: () => 'all' },
  {
    limit: 'maxConnectionsPerIp',
    code: 'too_many_connections_from_ip',
    keyOf: ({ addressKey, unauthenticated }) => (unauthenticated ? undefined : addressKey),
  },
  {
    limit: 'maxUnauthenticatedPerIp',
    code: 'too_many_connections_from_ip',
    message: 'this address has as many connections that have not authenticated as it may',
    keyOf: ({ addressKey, unauthenticated }) => (unauthenticated ? addressKey : undefined),
  },
  { limit: 'maxConnectionsPerUser', code: 'too_many_connections_of_user', keyOf: ({ user }) => user },
];

/** Sent as `Retry-After`. When a connection will end is not known. */
const fullRetryAfterMs = 5000;

/** The keys of one connection, one for each cap. */
type Keys = readonly (string | undefined)[];

const noKeys: Keys = caps.map(() => undefined);

/** The place of one connection under every cap. */
export interface Seat {
  /**
   * Changes the place to that of another identity. Returns why there is none; then the old place is kept. A seat that
   * was given back takes none.
   */
  move(holder: Holder): SluiceError | undefined;
  /** Gives the place back. */
  leave(): void;
}

/** Counts open connections under every cap. */
export class ConnectionCaps {
  readonly #limits: CapLimits;
  readonly #counts = caps.map(() => new Map<string, number>());

  constructor(limits: CapLimits) {
    this.#limits = limits;
  }

  /** Connections that are open. */
  get total(): number {
    return this.#counts[0]?.get('all') ?? 0;
  }

  /** Counts that are kept. */
  get remembered(): number {
    return this.#counts.reduce((sum, counts) => sum + counts.size, 0);
  }

  /** Why there is no place for one more connection like this one. */
  problem(holder: Holder): SluiceError | undefined {
    return this.#problem(noKeys, keysOf(holder));
  }

  take(holder: Holder): Seat | SluiceError {
    let keys = noKeys;
    let isLeft = false;
    const move = (next: Holder) => {
      if (isLeft) return undefined;
      const wanted = keysOf(next);
      const problem = this.#problem(keys, wanted);
      if (problem === undefined) keys = this.#change(keys, wanted);
      return problem;
    };
    const leave = () => {
      isLeft = true;
      keys = this.#change(keys, noKeys);
    };
    return move(holder) ?? { move, leave };
  }

  #problem(held: Keys, wanted: Keys): SluiceError | undefined {
    const full = caps.find((cap, index) => {
      const key = wanted[index];
      if (key === undefined || key === held[index]) return false;
      return (this.#counts[index]?.get(key) ?? 0) >= this.#limits[cap.limit];
    });
    return full && new SluiceError(full.code, full.message, { retryAfterMs: fullRetryAfterMs });
  }

  #change(held: Keys, wanted: Keys): Keys {
    for (const [index, counts] of this.#counts.entries()) {
      if (held[index] === wanted[index]) continue;
      add(counts, held[index], -1);
      add(counts, wanted[index], 1);
    }
    return wanted;
  }
}

function keysOf(holder: Holder): Keys {
  return caps.map((cap) => cap.keyOf(holder));
}

function add(counts: Map<string, number>, key: string | undefined, change: number): void {
  if (key === undefined) return;
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
