const encoder = new TextEncoder();
const blocks = new WeakMap<object, ArrayBuffer>();

/**
 * The lines of these headers, and the name of one more header, for a single call of `writeHeader` with the value of
 * that one: the library copies what it is given as it is. Five calls take a twentieth of a publish (`bench -- http`).
 * `headers` must be frozen: the block is made once.
 */
export function headerBlock(
  headers: Readonly<Record<string, string>>,
  lines: string,
  lastName: string,
): ArrayBuffer {
  let block = blocks.get(headers);
  if (block === undefined) {
    const own = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    block = encoder.encode(`${lines}${own.join('')}${lastName}`).buffer as ArrayBuffer;
    blocks.set(headers, block);
  }
  return block;
}
