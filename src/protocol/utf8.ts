const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Lone surrogates become U+FFFD. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const loneSurrogate = /\p{Surrogate}/u;

/** Whether UTF-8 can write it: JSON can say "\ud800", half of a character, and protobuf receivers refuse that. */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text);
}

/** Half characters become U+FFFD. */
export function toWellFormed(text: string): string {
  return isWellFormed(text) ? text : text.replace(/\p{Surrogate}/gu, '\ufffd');
}
