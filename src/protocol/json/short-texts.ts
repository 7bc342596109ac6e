/** Texts that are longer are not kept. */
const maxLength = 32;
const slots = 64;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Turns the bytes [start, end), which are UTF-8, into a text. */
export interface Texts {
  decode(bytes: Uint8Array, start: number, end: number): string;
}

export const plainTexts: Texts = {
  decode: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)),
};

/**
 * Remembers short texts of ASCII: in the items of a batch the same names, topics and types occur again and again, and
 * to compare them costs a fraction of decoding. Equal texts are one string then.
 */
export class ShortTexts implements Texts {
  readonly #known: (string | undefined)[] = new Array(slots).fill(undefined);

  decode(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length === 0 || length > maxLength) return plainTexts.decode(bytes, start, end);
    const slot = (length * 7 + bytes[start]! * 31 + bytes[end - 1]!) % slots;
    const cached = this.#known[slot];
    if (cached !== undefined && isText(bytes, start, length, cached)) return cached;
    const text = plainTexts.decode(bytes, start, end);
    // Only texts of ASCII: others have fewer characters than bytes.
    if (text.length === length) this.#known[slot] = text;
    return text;
  }
}

function isText(bytes: Uint8Array, start: number, length: number, text: string): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}
