import type { Socket } from '../../src/client/runtime.ts';
import { opcodes, RawClient } from './raw-client.ts';

/**
 * The part of WebSocket that the SDK uses, on a bare socket. A thousand of them cost a fraction of those of the package
 * `ws`, and they can be cut and can stop reading.
 */
export class LightSocket implements Socket {
  binaryType = 'arraybuffer';
  readonly protocol: string;
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  isOpen = false;
  readonly #client: RawClient;

  constructor(url: string, protocols: readonly string[] = [], localAddress?: string) {
    const { port, pathname } = new URL(url);
    this.protocol = protocols[0] ?? '';
    this.#client = new RawClient(
      {
        port: Number(port),
        path: pathname,
        subprotocol: this.protocol,
        localAddress,
        wantedBytes: Number.POSITIVE_INFINITY,
      },
      {
        opened: () => {
          this.isOpen = true;
          this.onopen?.();
        },
        frame: (opcode, bytes, start, end) => this.#frame(opcode, bytes, start, end),
        closed: () => this.#closed(1006, ''),
      },
    );
  }

  send(data: Uint8Array): void {
    this.#client.send(opcodes.binary, data);
  }

  close(): void {
    this.isOpen = false;
    this.#client.destroy();
  }

  /** The network fails: the other side gets a reset, this one a close without a reason. */
  cut(): void {
    this.close();
    this.#closed(1006, '');
  }

  /** The application hangs. */
  pause(): void {
    this.#client.pause();
  }

  resume(): void {
    this.#client.resume();
  }

  #frame(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === opcodes.close) {
      this.close();
      this.#closed(
        end - start >= 2 ? bytes.readUInt16BE(start) : 1005,
        bytes.toString('utf8', start + 2, end),
      );
      return;
    }
    // A copy: the receive buffer is used again, and the SDK keeps views into the message.
    const data = new Uint8Array(end - start);
    data.set(bytes.subarray(start, end));
    this.onmessage?.({ data: data.buffer });
  }

  #closed(code: number, reason: string): void {
    this.isOpen = false;
    this.onclose?.({ code, reason });
  }
}
