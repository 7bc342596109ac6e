/**
 * The bytes of an array buffer, shared or not, or of a view on one (typed array, DataView), not copied. Undefined: it
 * is neither. Throws where the buffer was detached. Buffers of other realms are buffers too: in jsdom, in an iframe or
 * in a `vm` context there are several classes named `ArrayBuffer`, and `instanceof` knows one of them.
 */
export function viewOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return /^(Shared)?ArrayBuffer$/.test(kindOf(value)) ? new Uint8Array(value as ArrayBuffer) : undefined;
}

/** The language's name for what the value is, in any realm: `Map`, `Null`, `Number` also for a box of one. */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
