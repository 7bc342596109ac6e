/** Pieces are joined in a buffer of this size at first. */
const firstBytes = 512;

/**
 * Joins pieces as they come: many small ones take no more memory than few large ones. Rejects with what `tooLarge`
 * returns for more than `maxBytes`, and reads no further. `hold` is told the bytes that are held from then on, or, by a
 * negative number, no longer; it may throw.
 */
export async function joinedBytes(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
  tooLarge: () => Error,
  hold: (bytes: number) => void = () => undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  let buffer = new Uint8Array(0);
  let length = 0;
  const resize = (bytes: number) => {
    hold(bytes);
    const resized = new Uint8Array(bytes);
    resized.set(buffer.subarray(0, length));
    hold(-buffer.length);
    buffer = resized;
  };
  for await (const piece of pieces) {
    const needed = length + piece.length;
    if (needed > maxBytes) throw tooLarge();
    if (needed > buffer.length) resize(Math.max(needed, Math.min(2 * buffer.length, maxBytes), firstBytes));
    buffer.set(piece, length);
    length = needed;
  }
  return buffer.slice(0, length);
}
