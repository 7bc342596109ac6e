/**
 * Bytes, whatever realm they are of: in jsdom, in an iframe or in a `vm` context there are several classes
 * named `ArrayBuffer`, and `instanceof` knows one of them.
 */

type LengthOf = (this: unknown) => number;

const lengthsOf: readonly LengthOf[] = [
  globalThis.ArrayBuffer,
  (globalThis as { SharedArrayBuffer?: SharedArrayBufferConstructor }).SharedArrayBuffer,
].flatMap((kind) => {
  const get = kind && Object.getOwnPropertyDescriptor(kind.prototype, 'byteLength')?.get;
  return get ? [get as LengthOf] : [];
});

function isBuffer(value: unknown): value is ArrayBuffer {
  return lengthsOf.some((lengthOf) => {
    try {
      lengthOf.call(value);
      return true;
    } catch {
      // Not one of this kind: its getter refuses everything else.
      return false;
    }
  });
}

/** An array buffer, shared or not, or a view on one (typed array, DataView). */
function isBinary(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || (typeof value === 'object' && value !== null && isBuffer(value));
}

/** Its bytes, not copied. Undefined: it is not binary. Throws where the buffer was detached. */
export function viewOf(value: unknown): Uint8Array | undefined {
  if (!isBinary(value)) return undefined;
  if (!ArrayBuffer.isView(value)) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}
