import type { Reply, ServerFrame } from '../protocol/server-frames.ts';
import type { Connection } from './connection.ts';

/** The most messages that wait for a full buffer to drain, and the most bytes. */
export const waitingMessagesMax = 100;
export const waitingMaxBytes = 256 * 1024;

export interface OutboxOptions {
  readonly connection: Connection;
  /** Above this a large message waits, unless the connection says otherwise. */
  readonly roomBytes: number;
  /** Terminated when more waits than may: its client does not read. */
  readonly session: { terminate(): void };
}

/**
 * What is sent to one session alone: replies, pushes, and what it is caught up with. While its connection's buffer is
 * full, messages wait here, in their order.
 */
export class Outbox {
  readonly #connection: Connection;
  readonly #roomBytes: number;
  readonly #session: OutboxOptions['session'];
  /** Undefined while nothing waits, as in most sessions. */
  #waiting: Uint8Array[] | undefined;
  #waitingBytes = 0;
  #messageCount = 0;
  #isClosed = false;
  /** The buffered bytes at the last look, and since when they have not become less. */
  #stuck: { readonly bytes: number; readonly sinceMs: number } | undefined;

  constructor({ connection, roomBytes, session }: OutboxOptions) {
    this.#connection = connection;
    this.#roomBytes = roomBytes;
    this.#session = session;
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** Messages that were sent here, and those counted by `count`. */
  get messageCount(): number {
    return this.#messageCount;
  }

  /** Messages that wait for the buffer to drain. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** The bytes in the buffer of its connection. */
  get bufferedBytes(): number {
    return this.#isClosed ? 0 : this.#connection.bufferedBytes();
  }

  /** All that has not left this process. */
  get unsentBytes(): number {
    return this.bufferedBytes + this.#waitingBytes;
  }

  /** Whether a large message may be sent now. */
  hasRoom(): boolean {
    if (this.#isClosed || this.#waiting !== undefined) return false;
    return this.#connection.bufferedBytes() < (this.#connection.roomBytes ?? this.#roomBytes);
  }

  push(push: Reply): void {
    // A spread that comes first is slower (`bench -- storm`).
    this.sendFrame({ id: 0, ...push } as ServerFrame);
  }

  sendFrame(frame: ServerFrame): void {
    if (!this.#isClosed) this.send(this.#connection.codec.encodeServerFrame(frame));
  }

  /** Sends a message; ignores an empty one. */
  send(message: Uint8Array): void {
    if (this.#isClosed || message.length === 0) return;
    this.#messageCount++;
    if (this.#waiting !== undefined || this.#connection.send(message) === 'dropped') this.#wait(message);
  }

  /** Adds messages that were sent another way; negative: messages that were lost. */
  count(messages: number): void {
    this.#messageCount += messages;
  }

  /** Sends what waits, as far as the buffer takes it. Returns whether nothing waits any more. */
  drain(): boolean {
    const waiting = this.#waiting;
    if (waiting === undefined) return true;
    let count = 0;
    while (count < waiting.length && this.#connection.send(waiting[count] as Uint8Array) === 'sent') {
      this.#waitingBytes -= (waiting[count] as Uint8Array).length;
      count++;
    }
    if (count > 0) this.progressed();
    this.#waiting = count === waiting.length ? undefined : waiting.slice(count);
    return this.#waiting === undefined;
  }

  /** The client has read something, though its buffer may be as full as before. */
  progressed(): void {
    this.#stuck = undefined;
  }

  /** Since when the buffer has not become less, on the monotonic clock. Call it regularly while something waits. */
  stuckSinceMs(nowMs: number): number {
    const bytes = this.bufferedBytes;
    const before = this.#stuck;
    const sinceMs = before === undefined || bytes < before.bytes ? nowMs : before.sinceMs;
    this.#stuck = { bytes, sinceMs };
    return sinceMs;
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = undefined;
    this.#waitingBytes = 0;
  }

  /** A single message may have any size. */
  #wait(message: Uint8Array): void {
    this.#waiting ??= [];
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    const { length } = this.#waiting;
    if (length > waitingMessagesMax || (length > 1 && this.#waitingBytes > waitingMaxBytes))
      this.#session.terminate();
  }
}
