/** The number of bytes that an integer from 0 to 2 ** 53 - 1 takes. */
export function varintLength(value: number): number {
  // Nearly all are short (`bench -- http`).
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  let length = 3;
  for (let rest = value; rest >= 0x20_0000; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Writes it at `from` and returns where it ends. */
export function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  // Bitwise operations see 32 bits only, and are the quicker ones.
  for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) + 0x80;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}

/** Where the one that begins at `from` ends. */
export function skipVarint(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] as number) > 0x7f) at++;
  return at + 1;
}

/** The one that begins at `from`. */
export function readVarint(bytes: Uint8Array, from: number): number {
  let value = 0;
  let scale = 1;
  for (let at = from; ; at++) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * scale;
    if (!(byte > 0x7f)) return value;
    scale *= 0x80;
  }
}
