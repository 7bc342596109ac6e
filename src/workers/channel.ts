import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';

const lengthBytes = 4;

/** One message as it travels: its length, 32 bits little-endian, and its structured clone. */
export function encodeMessage(message: unknown): Buffer {
  const body = serialize(message);
  const bytes = Buffer.allocUnsafe(lengthBytes + body.length);
  bytes.writeUInt32LE(body.length, 0);
  body.copy(bytes, lengthBytes);
  return bytes;
}

/**
 * Messages between two processes of one gateway, in order, over a socket that both trust. Messages of one turn leave
 * together. Byte arrays in a received message are views of what was read: to be kept if wanted, but not changed.
 */
export class Channel {
  readonly #socket: Duplex;
  #parts: Buffer[] = [];
  #buffered = 0;
  #isCorked = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
    // A process that died is noticed by its exit.
    socket.on('error', () => undefined);
  }

  /** Bytes that the other process has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** From now on each message that comes is given to `receive`. */
  listen(receive: (message: unknown) => void): void {
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk, receive));
  }

  send(message: unknown): void {
    this.sendEncoded(encodeMessage(message));
  }

  /** `bytes`: what `encodeMessage` returned; several channels may be sent the same. */
  sendEncoded(bytes: Buffer): void {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
  }

  /** Resolves once the other process has taken what was sent so far. */
  async flushed(): Promise<void> {
    if (this.#socket.writableLength === 0 || this.#socket.destroyed) return;
    await new Promise<void>((resolve) => this.#socket.write(Buffer.alloc(0), () => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer, receive: (message: unknown) => void): void {
    this.#parts.push(chunk);
    this.#buffered += chunk.length;
    while (this.#buffered >= lengthBytes) {
      const first = this.#joined(lengthBytes);
      const end = lengthBytes + first.readUInt32LE(0);
      if (this.#buffered < end) return;
      const bytes = this.#joined(end);
      this.#parts[0] = bytes.subarray(end);
      this.#buffered -= end;
      receive(deserialize(bytes.subarray(lengthBytes, end)));
    }
  }

  /** The first part, once it holds at least `length` bytes. Parts are joined only when a message is whole. */
  #joined(length: number): Buffer {
    const [first] = this.#parts;
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(this.#parts);
    this.#parts = [all];
    return all;
  }
}
