import type { ServerKinds, Tags } from '../protocol/frames.ts';
import type { Greeting } from './attempt.ts';
import type { ClientError } from './client-error.ts';
import type { ClosedBy } from './closing.ts';
import type { ConnectionState, StateChange } from './connection.ts';
import type { ReceivedPublication } from './received.ts';
import type { PublicationListener } from './subscription.ts';

export interface ClientEvents {
  connect: [greeting: Greeting];
  disconnect: [closed: ClosedBy];
  /**
   * Errors that have no other listener: refused upgrades, lost tokens, subscriptions without one, listeners
   * that threw.
   */
  error: [error: ClientError];
  state: [change: StateChange];
  /** A heartbeat's round trip. */
  roundTrip: [milliseconds: number];
  /** To this session alone, outside of topics. */
  message: [message: { readonly type: string; readonly data: unknown }];
  /** Of topics that the gateway subscribed this session to by itself: `$all`, `user:…`. */
  publication: Parameters<PublicationListener<unknown>>;
}

export interface PublishOptions {
  readonly key?: string;
  readonly tags?: Tags;
  /** Generated where absent, so that a publication that is sent again doesn't count twice. */
  readonly messageId?: string;
  readonly ttlMs?: number;
  /** This client doesn't get it: also when it was offline, and after a reconnect. */
  readonly exceptSelf?: boolean;
  readonly timestampMs?: number;
  /** State topics: delete the key. */
  readonly removed?: boolean;
}

export interface HistoryPage<T> extends Omit<ServerKinds['history'], 'publications'> {
  readonly publications: readonly ReceivedPublication<T>[];
}

export interface ClientStatus {
  readonly state: ConnectionState;
  readonly session: string | undefined;
  readonly user: string | undefined;
  readonly connectedAtMs: number | undefined;
  /** reconnecting: when the next attempt begins. */
  readonly retryAtMs: number | undefined;
  readonly attempts: number;
  /** Why it is reconnecting or closed. */
  readonly error: ClientError | undefined;
  /** Its code. */
  readonly reason: string | undefined;
  readonly roundTripMs: number | undefined;
  /** The gateway's clock is so far ahead of the local one. */
  readonly serverOffsetMs: number;
  readonly subscriptions: number;
  readonly queued: number;
}

/** Since the client was made. */
export interface ClientStats {
  readonly connects: number;
  readonly disconnects: number;
  readonly framesReceived: number;
  readonly bytesReceived: number;
  readonly framesSent: number;
  readonly bytesSent: number;
  readonly publications: number;
  /** Holes noticed by coverage; each was recovered or told as `gap`. */
  readonly gaps: number;
}
