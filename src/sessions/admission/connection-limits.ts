import type { Awaitable } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import { type Arrival, TokenBuckets } from '../limits/token-bucket.ts';
import { type CapLimits, type Caps, ConnectionCaps, type Holder, type Seat } from './connection-caps.ts';

export interface ConnectionLimitsOptions extends CapLimits {
  readonly handshakesPerSecondPerIp: number;
}

/** Decides which connections may be opened, before the upgrade: what is refused here costs no session. */
export class ConnectionLimits {
  readonly #limits: ConnectionLimitsOptions;
  readonly #caps: Caps;
  readonly #handshakes: TokenBuckets;

  /** `caps`: absent: counts the connections of this process. */
  constructor(limits: ConnectionLimitsOptions, arrival: Arrival, caps: Caps = new ConnectionCaps(limits)) {
    this.#limits = limits;
    this.#caps = caps;
    this.#handshakes = new TokenBuckets(...handshakeRate(limits), arrival);
  }

  /** Reads the limits again. Connections above them stay. */
  reload(): void {
    this.#handshakes.limit(...handshakeRate(this.#limits));
  }

  /** Takes a handshake from the bucket of the address. Returns why there is no place, or undefined. Takes no place. */
  handshakeProblem(holder: Holder): SluiceError | undefined {
    return this.rateProblem(holder) ?? this.problem(holder);
  }

  /** Takes a handshake from the bucket of the address. Returns why there is none, or undefined. */
  rateProblem({ addressKey }: Holder): SluiceError | undefined {
    return rateProblem(this.#handshakes.take(addressKey));
  }

  /** Gives back a handshake that was for a connection that the client has already. */
  giveBackHandshake({ addressKey }: Holder): void {
    this.#handshakes.giveBack(addressKey);
  }

  /** What `handshakeProblem` would return now. Takes nothing, so that a question does not use up a handshake. */
  outlook(holder: Holder): SluiceError | undefined {
    return rateProblem(this.#handshakes.waitMs(holder.addressKey)) ?? this.problem(holder);
  }

  /** Why there is no place for one more connection like this one. */
  problem(holder: Holder): SluiceError | undefined {
    return this.#caps.problem(holder);
  }

  /** Takes a place. The connection gives it back when it ends. */
  take(holder: Holder, former?: string): Awaitable<Seat | SluiceError> {
    return this.#caps.take(holder, former);
  }

  /** Drops the buckets that are full again. */
  sweep(): void {
    this.#handshakes.sweep();
  }
}

function handshakeRate(limits: ConnectionLimitsOptions): [perSecond: number, burst: number] {
  const { handshakesPerSecondPerIp, connectionsMaxPerIp } = limits;
  // All clients of one address reconnect together after a restart: that must fit into one burst.
  return [handshakesPerSecondPerIp, Math.max(handshakesPerSecondPerIp, connectionsMaxPerIp)];
}

function rateProblem(waitMs: number): SluiceError | undefined {
  return waitMs > 0 ? new SluiceError('rate_limited', undefined, { retryAfterMs: waitMs }) : undefined;
}
