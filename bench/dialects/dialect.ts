import type { Subscription } from '../../src/protocol/frames.ts';

export interface ClientMessage {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** What a connection subscribes to once it is open. */
export interface Opening {
  readonly topics: readonly string[];
  /** Besides the topic: filter, position … */
  readonly subscription?: Omit<Subscription, 'topic'>;
  /** Sends `connect` with this token, as the SDK does. */
  readonly token?: string;
}

export interface Coverage {
  readonly after: number;
  readonly upto: number;
}

/** How a receiver reads what a server sends. It reads as little as it needs. */
export interface Dialect {
  readonly path?: string;
  /** Present: it is a stream of Server-Sent Events, at this path and query, and sends nothing itself. */
  streamPath?(opening: Opening): string;
  readonly subprotocol?: string;
  /** How much of each payload `covered` looks at. */
  readonly countingBytes: number;
  /** The messages that open a connection, besides the handshake. */
  open(opening: Opening): readonly ClientMessage[];
  /** Whether a message is the reply to the last of them. */
  isReply(bytes: Buffer, start: number, end: number): boolean;
  /**
   * The offsets of its topic that a message covers, or how many publications it holds; undefined if it is not a
   * batch.
   */
  covered(bytes: Buffer, start: number, end: number, length: number): Coverage | number | undefined;
  /** Reads every message of one connection and returns when each publication was made. */
  reader(): (message: Buffer) => readonly number[];
  /** What a client sends from time to time to show that it is alive. */
  heartbeat?(): ClientMessage;
}
