/** Microseconds on a clock that all processes of this machine share. */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}

const stampMark = Buffer.from('{"at":"');
const stampStart = stampMark.length;
const stampDigits = 16;

/** A small, reproducible random generator (mulberry32), in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const fields = ['cpu', 'mem', 'load', 'disk', 'rx', 'tx', 'iops', 'temp'];
const leastPayloadBytes = 40;

/** A typical JSON payload of exactly `bytes` bytes, with the time at which it was made. */
export class StampedPayloads {
  readonly #bytes: number;
  readonly #random: () => number;

  constructor(bytes: number, seed: number) {
    if (bytes < leastPayloadBytes) throw new Error(`a payload has at least ${leastPayloadBytes} bytes`);
    this.#bytes = bytes;
    this.#random = seededRandom(seed);
  }

  next(): Buffer {
    // V8 keeps the latest strings that `String` makes of numbers: garbage that would make the server's heap grow.
    let text = `{"at":"${nowUs().toFixed(0).padStart(stampDigits, '0')}"`;
    for (let i = 0; text.length < this.#bytes - 40; i++) {
      text += `,"${fields[i % fields.length]}${Math.floor(i / fields.length)}":${(this.#random() * 90 + 10).toFixed(4)}`;
    }
    const tail = ',"pad":""}';
    return Buffer.from(
      `${text}${tail.slice(0, -2)}${'x'.repeat(this.#bytes - text.length - tail.length)}"}`,
      'latin1',
    );
  }
}

/** The member `at` of a payload. */
export function stampTextOf(payload: Buffer): string {
  return payload.toString('latin1', stampStart, stampStart + stampDigits);
}

/** Reads the time from the payload that begins at `start`. */
export function stampOf(bytes: Uint8Array, start = 0): number {
  let stamp = 0;
  for (let i = start + stampStart; i < start + stampStart + stampDigits; i++)
    stamp = stamp * 10 + bytes[i]! - 48;
  return stamp;
}

/** The times of all payloads that `bytes` have as they are. */
export function stampsIn(bytes: Buffer): number[] {
  const stamps: number[] = [];
  for (let at = bytes.indexOf(stampMark); at !== -1; at = bytes.indexOf(stampMark, at + stampStart))
    stamps.push(stampOf(bytes, at));
  return stamps;
}
