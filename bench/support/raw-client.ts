import { connect, type Socket } from 'node:net';
import { clientFrame, upgradeRequest } from '../../test/support/raw-socket.ts';
import { type FrameListener, FrameReader } from './frame-reader.ts';

export const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawClientOptions {
  readonly port: number;
  readonly path?: string;
  readonly subprotocol?: string;
  /** An address of this machine: there are too few ports on a single one. */
  readonly localAddress?: string;
  /** Of each payload. */
  readonly wantedBytes: number;
}

export interface RawClientListener {
  /** The upgrade was granted. */
  opened(): void;
  frame: FrameListener;
  /** Refused, lost or ended; told once. */
  closed(reason: string): void;
}

// Every socket reads into it: the bytes are used up before the next one reads.
const shared = Buffer.allocUnsafeSlow(256 * 1024);

/**
 * A WebSocket client on a bare socket that costs as little as can be: no events, no copies, no allocation per frame.
 */
export class RawClient {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #listener: RawClientListener;
  #head: string | undefined = '';
  #over = false;

  constructor(options: RawClientOptions, listener: RawClientListener) {
    const { port, path, subprotocol, localAddress, wantedBytes } = options;
    this.#listener = listener;
    this.#reader = new FrameReader(wantedBytes, (opcode, bytes, start, end, length) =>
      opcode === opcodes.ping ? this.#pong() : listener.frame(opcode, bytes, start, end, length),
    );
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      localAddress,
      noDelay: true,
      onread: { buffer: shared, callback: (length) => this.#read(length) },
    });
    this.#socket.write(upgradeRequest({ protocol: subprotocol, path }));
    this.#socket.on('error', (error) => this.#closed(error.message));
    this.#socket.on('close', () => this.#closed('closed'));
  }

  send(opcode: number, payload: Uint8Array): void {
    this.#socket.write(clientFrame(opcode, payload));
  }

  /** Bytes that are frames already, or none. */
  sendRaw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Stops reading: what comes stays with the kernel, and then with the gateway. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Gone without a word, with a reset. */
  destroy(): void {
    this.#over = true;
    this.#socket.resetAndDestroy();
  }

  #read(length: number): boolean {
    if (this.#over) return true;
    if (this.#head === undefined) this.#reader.push(shared, length);
    else this.#readHead(length);
    return true;
  }

  #readHead(length: number): void {
    const before = this.#head!.length;
    this.#head += shared.toString('latin1', 0, length);
    const end = this.#head!.indexOf('\r\n\r\n');
    if (end < 0) return;
    if (!this.#head!.startsWith('HTTP/1.1 101')) {
      this.#closed(this.#head!.slice(0, this.#head!.indexOf('\r\n')));
      this.#socket.destroy();
      return;
    }
    this.#head = undefined;
    this.#listener.opened();
    const used = end + 4 - before;
    // The listener may have destroyed it.
    if (used < length && !this.#over) this.#reader.push(shared.subarray(used, length), length - used);
  }

  #pong(): void {
    this.send(opcodes.pong, new Uint8Array(0));
  }

  #closed(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.closed(reason);
  }
}

/** Spreads connections over 127.0.0.2 and up. */
export function localAddress(index: number, perAddress = 1000): string {
  return `127.0.0.${2 + (Math.floor(index / perAddress) % 250)}`;
}
