import { clientFrame, upgradeRequest } from '../../test/support/raw-socket.ts';
import { BareSocket, type BareSocketOptions } from './bare-socket.ts';
import { type FrameListener, FrameReader } from './frame-reader.ts';

export const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawClientOptions extends Pick<BareSocketOptions, 'port' | 'localAddress'> {
  readonly path?: string;
  readonly subprotocol?: string;
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

/** A WebSocket client on a bare socket, without an allocation per frame. */
export class RawClient {
  readonly #socket: BareSocket;

  constructor(options: RawClientOptions, listener: RawClientListener) {
    const { path, subprotocol: protocol, wantedBytes, ...where } = options;
    const reader = new FrameReader(wantedBytes, (opcode, bytes, start, end, length) =>
      opcode === opcodes.ping ? this.#pong() : listener.frame(opcode, bytes, start, end, length),
    );
    this.#socket = new BareSocket(
      { ...where, request: upgradeRequest({ protocol, path }), granted: 101 },
      {
        opened: () => listener.opened(),
        read: (bytes, length) => reader.push(bytes, length),
        closed: (reason) => listener.closed(reason),
      },
    );
  }

  send(opcode: number, payload: Uint8Array): void {
    this.#socket.write(clientFrame(opcode, payload));
  }

  /** Bytes that are frames already, or none. */
  sendRaw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** See `BareSocket`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #pong(): void {
    this.send(opcodes.pong, new Uint8Array(0));
  }
}

/** Spreads connections over 127.0.0.2 and up. */
export function localAddress(index: number, perAddress = 1000): string {
  return `127.0.0.${2 + (Math.floor(index / perAddress) % 250)}`;
}
