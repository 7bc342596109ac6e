import type { ClientError } from './client-error.ts';
import type { ConnectionState } from './connection/connection.ts';
import type { Transport } from './http/transports.ts';

export interface ClientStatus {
  readonly state: ConnectionState;
  /** How frames come, or will be asked for next. */
  readonly transport: Transport;
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
