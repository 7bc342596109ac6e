import type { StateChange } from './connection/connection.ts';
import type { Transport } from './options.ts';

export interface ClientStatus extends Omit<StateChange, 'previous'> {
  /** The transport in use, or the next one to be tried. */
  readonly transport: Transport;
  readonly session: string | undefined;
  readonly user: string | undefined;
  readonly connectedAtMs: number | undefined;
  readonly roundTripMs: number | undefined;
  /** Milliseconds to add to the local clock to get the gateway's. */
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
  /** Missing offsets that the client noticed; each was recovered, or named by `gap`. */
  readonly gaps: number;
}

export const noStats: ClientStats = {
  connects: 0,
  disconnects: 0,
  framesReceived: 0,
  bytesReceived: 0,
  framesSent: 0,
  bytesSent: 0,
  publications: 0,
  gaps: 0,
};
