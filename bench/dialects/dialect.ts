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

/** How a receiver reads the messages of a server. It reads as little as possible. */
export interface Dialect {
  readonly path?: string;
  /** Present: it is a stream of Server-Sent Events, at this path and query, and sends nothing itself. */
  streamPath?(opening: Opening): string;
  readonly subprotocol?: string;
  /** How many bytes of each message `covered` needs. */
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
  /** The offsets that a message, which is not a batch, says are gone. */
  missed?(bytes: Buffer, start: number, end: number): Coverage | undefined;
  /** Reads every message of one connection and returns the times at which its publications were made. */
  reader(): (message: Buffer) => readonly number[];
  /** The heartbeat of a client. */
  heartbeat?(): ClientMessage;
  /** The answer to a heartbeat of the server; undefined: the message is none. */
  answer?(bytes: Buffer, start: number, end: number): ClientMessage | undefined;
}
