/**
 * Told of each WebSocket message: its payload begins at `start`; as much of it as was wanted is before `end`;
 * all of it is `length` bytes. The bytes are gone when this returns.
 */
export type FrameListener = (
  opcode: number,
  bytes: Buffer,
  start: number,
  end: number,
  length: number,
) => void;

/** What precedes a payload that a server sends. */
export function frameHeadBytes(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10;
}

/**
 * Finds the frames that a server sends (RFC 6455, section 5.2; unmasked, not fragmented) in what comes from a socket.
 * A receiver that counts wants only the first bytes of each payload: the rest is skipped unread.
 */
export class FrameReader {
  /** How much of a payload has to be there before the listener is told. */
  wantedBytes: number;
  #skip = 0;
  #rest: Buffer | undefined;
  readonly #listener: FrameListener;

  constructor(wantedBytes: number, listener: FrameListener) {
    this.wantedBytes = wantedBytes;
    this.#listener = listener;
  }

  /** Reads the first `length` bytes; keeps none of them, but copies what it can't use yet. */
  push(chunk: Buffer, length: number): void {
    let bytes = chunk;
    let end = length;
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, chunk.subarray(0, length)]);
      end = bytes.length;
      this.#rest = undefined;
    }
    let at = Math.min(this.#skip, end);
    this.#skip -= at;
    while (end - at >= 2) {
      const available = end - at;
      const short = bytes[at + 1]! & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (available < header) break;
      const payload =
        short < 126
          ? short
          : short === 126
            ? (bytes[at + 2]! << 8) | bytes[at + 3]!
            : Number(bytes.readBigUInt64BE(at + 2));
      const wanted = Math.min(payload, this.wantedBytes);
      if (available < header + wanted) break;
      const start = at + header;
      this.#listener(bytes[at]! & 0x0f, bytes, start, start + wanted, payload);
      at = start + payload;
    }
    if (at > end) this.#skip = at - end;
    else if (at < end) this.#rest = Buffer.from(bytes.subarray(at, end));
  }
}
