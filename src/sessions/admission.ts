import { SluiceError } from '../errors.ts';
import { TokenBucket } from './limits.ts';

export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly maxConnectionsPerUser: number;
  readonly handshakesPerSecondPerIp: number;
}

/** Told in `Retry-After` where a place has to become free: nobody knows when. */
const fullRetryAfterMs = 5000;

/** Who may open a connection. Decided before the upgrade: what is refused here costs no session. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #nowMs: () => number;
  readonly #perIp = new Map<string, number>();
  readonly #perUser = new Map<string, number>();
  readonly #handshakes = new Map<string, TokenBucket>();
  #total = 0;

  /** `nowMs`: milliseconds on a monotonic clock. */
  constructor(limits: AdmissionLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  get total(): number {
    return this.#total;
  }

  /** Takes a handshake from the address's bucket, and says why there is no place, or nothing. Takes no place. */
  problem(addressKey: string): SluiceError | undefined {
    return rateProblem(this.#takeHandshake(addressKey)) ?? this.placeProblem(addressKey);
  }

  /** What `problem` would say now. Takes nothing, so that the handshake that follows the question is not used up by it. */
  outlook(addressKey: string): SluiceError | undefined {
    const waitMs = this.#handshakes.get(addressKey)?.waitMs(this.#nowMs()) ?? 0;
    return rateProblem(waitMs) ?? this.placeProblem(addressKey);
  }

  /** Why there is no place for one more connection of this address. */
  placeProblem(addressKey: string): SluiceError | undefined {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    if (this.#total >= maxConnections) {
      return new SluiceError('too_many_connections', undefined, { retryAfterMs: fullRetryAfterMs });
    }
    if ((this.#perIp.get(addressKey) ?? 0) >= maxConnectionsPerIp) {
      return new SluiceError('too_many_connections_from_ip', undefined, { retryAfterMs: fullRetryAfterMs });
    }
    return undefined;
  }

  userProblem(user: string): SluiceError | undefined {
    if ((this.#perUser.get(user) ?? 0) < this.#limits.maxConnectionsPerUser) return undefined;
    return new SluiceError('too_many_connections_of_user', undefined, { retryAfterMs: fullRetryAfterMs });
  }

  /** Takes a place, until `leave`. */
  enter(addressKey: string): void {
    this.#total++;
    add(this.#perIp, addressKey, 1);
  }

  leave(addressKey: string): void {
    this.#total--;
    add(this.#perIp, addressKey, -1);
  }

  enterAs(user: string): void {
    add(this.#perUser, user, 1);
  }

  leaveAs(user: string): void {
    add(this.#perUser, user, -1);
  }

  /** Forgets addresses whose buckets are full again. */
  sweep(): void {
    const nowMs = this.#nowMs();
    for (const [addressKey, bucket] of this.#handshakes)
      if (bucket.isFull(nowMs)) this.#handshakes.delete(addressKey);
  }

  #takeHandshake(addressKey: string): number {
    const nowMs = this.#nowMs();
    let bucket = this.#handshakes.get(addressKey);
    if (bucket === undefined) {
      const { handshakesPerSecondPerIp, maxConnectionsPerIp } = this.#limits;
      // All clients of one address reconnect together after a restart: that must fit into one burst.
      const burst = Math.max(handshakesPerSecondPerIp, maxConnectionsPerIp);
      bucket = new TokenBucket(handshakesPerSecondPerIp, burst, nowMs);
      this.#handshakes.set(addressKey, bucket);
    }
    return bucket.take(nowMs);
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
