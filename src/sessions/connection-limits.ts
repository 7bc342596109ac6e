import { SluiceError } from '../errors.ts';
import { TokenBuckets } from './token-bucket.ts';

export interface ConnectionLimitsOptions {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  /** Of connections that have not authenticated yet; they are no part of the other cap per address. */
  readonly maxUnauthenticatedPerIp: number;
  readonly maxConnectionsPerUser: number;
  readonly handshakesPerSecondPerIp: number;
}

/** Told in `Retry-After` where a place has to become free: nobody knows when. */
const fullRetryAfterMs = 5000;

/** Who may open a connection. Decided before the upgrade: what is refused here costs no session. */
export class ConnectionLimits {
  readonly #limits: ConnectionLimitsOptions;
  readonly #perIp = new Map<string, number>();
  readonly #unauthenticatedPerIp = new Map<string, number>();
  readonly #perUser = new Map<string, number>();
  readonly #handshakes: TokenBuckets;
  #total = 0;

  /** `nowMs`: milliseconds on a monotonic clock. */
  constructor(limits: ConnectionLimitsOptions, nowMs: () => number) {
    this.#limits = limits;
    const { handshakesPerSecondPerIp, maxConnectionsPerIp } = limits;
    // All clients of one address reconnect together after a restart: that must fit into one burst.
    const burst = Math.max(handshakesPerSecondPerIp, maxConnectionsPerIp);
    this.#handshakes = new TokenBuckets(handshakesPerSecondPerIp, burst, nowMs);
  }

  get total(): number {
    return this.#total;
  }

  /** Counts and buckets that it keeps, of addresses and users. */
  get remembered(): number {
    const { size } = this.#handshakes;
    return size + this.#perIp.size + this.#unauthenticatedPerIp.size + this.#perUser.size;
  }

  /** Takes a handshake from the address's bucket, and says why there is no place, or nothing. Takes no place. */
  problem(addressKey: string, unauthenticated = false): SluiceError | undefined {
    return rateProblem(this.#handshakes.take(addressKey)) ?? this.placeProblem(addressKey, unauthenticated);
  }

  /**
   * What `problem` would say now. Takes nothing, so that the handshake that follows the question is not used up by
   * it.
   */
  outlook(addressKey: string, unauthenticated = false): SluiceError | undefined {
    return rateProblem(this.#handshakes.waitMs(addressKey)) ?? this.placeProblem(addressKey, unauthenticated);
  }

  /** Why there is no place for one more connection of this address. */
  placeProblem(addressKey: string, unauthenticated = false): SluiceError | undefined {
    if (this.#total >= this.#limits.maxConnections) {
      return new SluiceError('too_many_connections', undefined, { retryAfterMs: fullRetryAfterMs });
    }
    return this.#addressProblem(addressKey, unauthenticated);
  }

  userProblem(user: string): SluiceError | undefined {
    if ((this.#perUser.get(user) ?? 0) < this.#limits.maxConnectionsPerUser) return undefined;
    return new SluiceError('too_many_connections_of_user', undefined, { retryAfterMs: fullRetryAfterMs });
  }

  /** Takes a place, until `leave`. */
  enter(addressKey: string, unauthenticated = false): void {
    this.#total++;
    add(this.#countsOf(unauthenticated), addressKey, 1);
  }

  /** `unauthenticated`: as it was at last. */
  leave(addressKey: string, unauthenticated = false): void {
    this.#total--;
    add(this.#countsOf(unauthenticated), addressKey, -1);
  }

  /** A connection that entered unauthenticated is so no more: says why there is no place, or takes it for the other. */
  authenticate(addressKey: string): SluiceError | undefined {
    const problem = this.#addressProblem(addressKey, false);
    if (problem !== undefined) return problem;
    add(this.#unauthenticatedPerIp, addressKey, -1);
    add(this.#perIp, addressKey, 1);
    return undefined;
  }

  enterAs(user: string): void {
    add(this.#perUser, user, 1);
  }

  leaveAs(user: string): void {
    add(this.#perUser, user, -1);
  }

  /** Forgets addresses whose buckets are full again. */
  sweep(): void {
    this.#handshakes.sweep();
  }

  #addressProblem(addressKey: string, unauthenticated: boolean): SluiceError | undefined {
    const { maxConnectionsPerIp, maxUnauthenticatedPerIp } = this.#limits;
    const most = unauthenticated ? maxUnauthenticatedPerIp : maxConnectionsPerIp;
    if ((this.#countsOf(unauthenticated).get(addressKey) ?? 0) < most) return undefined;
    const message = unauthenticated
      ? 'this address has as many connections that have not authenticated as it may'
      : undefined;
    return new SluiceError('too_many_connections_from_ip', message, { retryAfterMs: fullRetryAfterMs });
  }

  #countsOf(unauthenticated: boolean): Map<string, number> {
    return unauthenticated ? this.#unauthenticatedPerIp : this.#perIp;
  }
}

function rateProblem(waitMs: number): SluiceError | undefined {
  return waitMs > 0 ? new SluiceError('rate_limited', undefined, { retryAfterMs: waitMs }) : undefined;
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
