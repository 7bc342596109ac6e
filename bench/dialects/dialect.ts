import type { Subscription } from '../../src/protocol/frames.ts';

export interface ClientMessage {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** What a connection asks for when it is open. */
export interface Opening {
  readonly topics: readonly string[];
  /** Besides the topic: filter, position … */
  readonly subscription?: Omit<Subscription, 'topic'>;
  /** Introduces itself as the SDK does, with this token. */
  readonly token?: string;
}

export interface Coverage {
  readonly after: number;
  readonly upto: number;
}

/** How a receiver reads what a server sends, as little of it as it needs. */
export interface Dialect {
  readonly path?: string;
  readonly subprotocol?: string;
  /** How much of each payload `covered` looks at. */
  readonly countingBytes: number;
  /** The messages that open a connection, besides the handshake. */
  open(opening: Opening): readonly ClientMessage[];
  /** Whether it is the answer to the last of them. */
  isReply(bytes: Buffer, start: number, end: number): boolean;
  /** What of its topic a message covers, or how many publications it holds; undefined: it is no batch. */
  covered(bytes: Buffer, start: number, end: number, length: number): Coverage | number | undefined;
  /** Reads whole messages of one connection, all of them: when each publication was made. */
  reader(): (message: Buffer) => readonly number[];
  /** What a client says from time to time, so that the other side knows that it is there. */
  heartbeat?(): ClientMessage;
}
