import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';

/** The head of a message: the length of what follows, 32 bits little-endian, and its kind. */
const headBytes = 5;
/** A structured clone; or bytes with a number and a name, which need no clone on either side. */
const kinds = { clone: 0, bytes: 1 } as const;
/** Before the name of bytes: their number, 32 bits, and the length of the name. */
const namingBytes = 5;

/** Messages of one turn are joined up to here. What is longer is not copied: several channels may be sent the same. */
const joinedMaxBytes = 64 * 1024;

/** One message as it travels. */
export function encodeMessage(message: unknown): Buffer {
  const clone = serialize(message);
  const bytes = withHead(kinds.clone, clone.length);
  clone.copy(bytes, headBytes);
  return bytes;
}

/** `name`: ASCII. */
export function encodeBytes(number: number, name: string, body: Uint8Array): Buffer {
  const bytes = withHead(kinds.bytes, namingBytes + name.length + body.length);
  bytes.writeUInt32LE(number, headBytes);
  bytes[headBytes + 4] = name.length;
  bytes.write(name, headBytes + namingBytes, 'latin1');
  bytes.set(body, headBytes + namingBytes + name.length);
  return bytes;
}

function withHead(kind: number, bodyBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + bodyBytes);
  bytes.writeUInt32LE(bodyBytes + 1, 0);
  bytes[4] = kind;
  return bytes;
}

/** Handles received messages. */
export interface ChannelListener {
  message(message: unknown): void;
  bytes(number: number, name: string, body: Buffer): void;
}

/**
 * Messages between two processes of one gateway, in order, over a socket that both trust. Messages of one turn leave
 * together. Bytes in a received message are views of what was read. They may be kept, but not changed.
 */
export class Channel {
  readonly #socket: Duplex;
  #listener: ChannelListener | undefined;
  /** What was read and not delivered yet. */
  #parts: Buffer[] = [];
  #buffered = 0;
  /** Messages of this turn. */
  #outgoing: Buffer[] = [];
  #outgoingBytes = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
    // The other process may have died; its exit is what reports that.
    socket.on('error', () => undefined);
  }

  /** Bytes that the other process has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength + this.#outgoingBytes;
  }

  /** From now on each message that comes is given to the listener. */
  listen(listener: ChannelListener): void {
    this.#listener = listener;
    this.#socket.on('data', (chunk: Buffer) => this.read(chunk));
    this.#deliver(listener);
  }

  /** Takes bytes that the socket gave to another function than a listener of `data`. They must not change any more. */
  read(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#buffered += chunk.length;
    if (this.#listener !== undefined) this.#deliver(this.#listener);
  }

  send(message: unknown): void {
    this.sendEncoded(encodeMessage(message));
  }

  /** `bytes`: what `encodeMessage` or `encodeBytes` returned; several channels may be sent the same. */
  sendEncoded(bytes: Buffer): void {
    if (this.#outgoing.length === 0) process.nextTick(() => this.#flush());
    this.#outgoing.push(bytes);
    this.#outgoingBytes += bytes.length;
  }

  /** Resolves once the other process has taken what was sent so far. */
  async flushed(): Promise<void> {
    this.#flush();
    if (this.#socket.writableLength === 0 || this.#socket.destroyed) return;
    await new Promise<void>((resolve) => this.#socket.write(Buffer.alloc(0), () => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  #flush(): void {
    const messages = this.#outgoing;
    const isJoined = messages.length > 1 && this.#outgoingBytes <= joinedMaxBytes;
    const outgoing = isJoined ? [Buffer.concat(messages)] : messages;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    if (outgoing.length > 1) this.#socket.cork();
    for (const bytes of outgoing) this.#socket.write(bytes);
    if (outgoing.length > 1) this.#socket.uncork();
  }

  #deliver(listener: ChannelListener): void {
    while (this.#buffered >= headBytes) {
      const end = headBytes - 1 + this.#joined(headBytes).readUInt32LE(0);
      if (this.#buffered < end) return;
      const bytes = this.#joined(end);
      this.#buffered -= end;
      if (bytes.length > end) this.#parts[0] = bytes.subarray(end);
      else this.#parts.shift();
      if (bytes[4] === kinds.clone) listener.message(deserialize(bytes.subarray(headBytes, end)));
      else {
        const nameAt = headBytes + namingBytes;
        const nameEnd = nameAt + (bytes[nameAt - 1] as number);
        const name = bytes.toString('latin1', nameAt, nameEnd);
        listener.bytes(bytes.readUInt32LE(headBytes), name, bytes.subarray(nameEnd, end));
      }
    }
  }

  /** Returns the first part once it holds at least `length` bytes. Joins parts only when a whole message is there. */
  #joined(length: number): Buffer {
    const first = this.#parts[0];
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(this.#parts);
    this.#parts = [all];
    return all;
  }
}
