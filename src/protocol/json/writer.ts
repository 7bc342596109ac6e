import { toInstant } from '../instant.ts';
import { lastInstantMs } from '../integers.ts';
import { Slabs } from '../slabs.ts';
import { toBase64 } from './base64.ts';

/** The most bytes that a UTF-16 unit takes: `\u0000`. */
const escapedBytes = 6;
/** `9007199254740991`, and a sign that no number of the protocol has. */
const numberBytes = 17;
const instantBytes = 26;

const encoder = new TextEncoder();
const quote = 0x22;
const backslash = 0x5c;
const digit0 = 0x30;

/** At most this many bytes of JSON. */
export const jsonMaxBytes = {
  text: (text: string): number => escapedBytes * text.length + 2,
  number: numberBytes,
  instant: instantBytes,
  base64: (bytes: number): number => 4 * Math.ceil(bytes / 3) + 2,
} as const;

/**
 * Writes JSON straight into slabs: text that is joined from strings first, and encoded then, is three to four times the
 * garbage, and an array for each is what most of a scavenge's time goes to (`bench -- unicast --allocations --gaps`).
 */
export class JsonWriter {
  readonly #slabs = new Slabs(16_384);
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** An instant of the second that was written last: its first 20 bytes are those of all others. */
  #second = Number.NaN;
  readonly #instant = new Uint8Array(24);

  /** A new text, of at most this many bytes. */
  begin(maxBytes: number): this {
    this.#bytes = this.#slabs.open(maxBytes);
    this.#at = this.#slabs.start;
    return this;
  }

  end(): Uint8Array {
    return this.#slabs.close(this.#at);
  }

  /** Appends ASCII as it is. */
  ascii(text: string): this {
    for (let i = 0; i < text.length; i++) this.#bytes[this.#at++] = text.charCodeAt(i);
    return this;
  }

  /** Appends bytes that are JSON already. */
  bytes(json: Uint8Array): this {
    this.#bytes.set(json, this.#at);
    this.#at += json.length;
    return this;
  }

  /** Removes the last byte. */
  back(): this {
    this.#at--;
    return this;
  }

  text(text: string): this {
    const start = this.#at;
    this.#bytes[this.#at++] = quote;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < 0x20 || code > 0x7e || code === quote || code === backslash) {
        this.#at = start;
        return this.#otherText(text);
      }
      this.#bytes[this.#at++] = code;
    }
    this.#bytes[this.#at++] = quote;
    return this;
  }

  base64(bytes: Uint8Array): this {
    this.#bytes[this.#at++] = quote;
    this.ascii(toBase64(bytes));
    this.#bytes[this.#at++] = quote;
    return this;
  }

  number(value: number): this {
    if (!(Number.isSafeInteger(value) && value >= 0)) return this.ascii(`${value}`);
    let digits = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    this.#digits(value, digits);
    return this;
  }

  /** Milliseconds since 1970, as RFC 3339 writes them. */
  instant(ms: number): this {
    if (!(ms >= 0 && ms <= lastInstantMs)) return this.text(toInstant(ms));
    const second = Math.floor(ms / 1000);
    if (second !== this.#second) {
      encoder.encodeInto(toInstant(second * 1000), this.#instant);
      this.#second = second;
    }
    this.#bytes[this.#at++] = quote;
    this.#bytes.set(this.#instant, this.#at);
    this.#at += 20;
    this.#digits(Math.floor(ms) % 1000, 3);
    this.#at++;
    this.#bytes[this.#at++] = quote;
    return this;
  }

  #digits(value: number, digits: number): void {
    let rest = value;
    for (let i = this.#at + digits - 1; i >= this.#at; i--) {
      const next = Math.floor(rest / 10);
      this.#bytes[i] = digit0 + (rest - 10 * next);
      rest = next;
    }
    this.#at += digits;
  }

  /** With escapes or characters of several bytes. */
  #otherText(text: string): this {
    this.#at += encoder.encodeInto(JSON.stringify(text), this.#bytes.subarray(this.#at)).written;
    return this;
  }
}
