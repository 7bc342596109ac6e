import crypto from 'node:crypto';

const blockBytes = 64;
const digestBytes = 32;
/** Longer texts are rare. */
const textMaxLength = 2048;
/** The most bytes of a code unit in UTF-8. */
const unitMaxBytes = 3;

/**
 * HMAC-SHA256 by one key (RFC 2104). It is two hashes, which Node makes in one call each (20.12): an object of
 * `createHmac` takes twice as long, and keeps the garbage collector busy (`bench -- handshakes`).
 */
export class Hmac {
  readonly #key: Uint8Array;
  /** The key and the text, and the key and the hash of these. */
  readonly #inner = Buffer.alloc(blockBytes + textMaxLength * unitMaxBytes);
  readonly #outer = Buffer.alloc(blockBytes + digestBytes);

  constructor(key: Uint8Array) {
    this.#key = key;
    const short = key.length > blockBytes ? crypto.createHash('sha256').update(key).digest() : key;
    for (let i = 0; i < blockBytes; i++) {
      const byte = short[i] ?? 0;
      this.#inner[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
  }

  /** The digest of this text in UTF-8, in base64url. */
  of(text: string): string {
    if (text.length > textMaxLength || typeof crypto.hash !== 'function')
      return crypto.createHmac('sha256', this.#key).update(text).digest('base64url');
    const end = blockBytes + this.#inner.write(text, blockBytes, 'utf8');
    this.#outer.write(crypto.hash('sha256', this.#inner.subarray(0, end), 'binary'), blockBytes, 'latin1');
    return crypto.hash('sha256', this.#outer, 'base64url');
  }
}
