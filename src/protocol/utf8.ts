// Made when they are first needed: jsdom has neither, and there a module that is only imported must not throw.
let strict: TextDecoder | undefined;
let encoder: TextEncoder | undefined;

/** Throws where the bytes are not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  strict ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  return strict.decode(bytes);
}

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    textOf(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Some editors and libraries begin UTF-8 with a byte order mark. JSON has none. */
export function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/** Lone surrogates become U+FFFD. */
export function utf8(text: string): Uint8Array {
  encoder ??= new TextEncoder();
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
