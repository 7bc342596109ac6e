/** Base64 (RFC 4648, with padding); on bytes rather than on the binary strings of `btoa`. */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const digitOf = new Map([...alphabet].map((digit, value) => [digit, value]));

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += alphabet[group >> 18]! + alphabet[(group >> 12) & 63]!;
    text += left > 1 ? alphabet[(group >> 6) & 63]! : '=';
    text += left > 2 ? alphabet[group & 63]! : '=';
  }
  return text;
}

/** Undefined: it is none. Strict: no white space, no missing padding, no stray bits. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - padding;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0;
  let at = 0;
  for (let i = 0; i < digits; i++) {
    const digit = digitOf.get(text[i]!);
    if (digit === undefined) return undefined;
    bits = ((bits << 6) | digit) & 0xff_ffff;
    // Digit i completes byte i - 1 - floor(i / 4), except for the first digit of each group of four.
    const kept = 6 - 2 * (i % 4);
    if (i % 4 !== 0) bytes[at++] = (bits >> kept) & 0xff;
  }
  const stray = padding === 0 ? 0 : bits & ((1 << (padding * 2)) - 1);
  return stray === 0 ? bytes : undefined;
}
