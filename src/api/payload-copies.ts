const slabMaxBytes = 4096;
/** What lies between the payloads of a slab stays alive with them: at most so many times the first of them. */
const slabMaxShare = 16;

/** The bytes [start, end) of a body, to be kept. */
export type TakePayload = (start: number, end: number) => Uint8Array;

/**
 * Takes the payload out of a body. A ring keeps it, maybe for long, and counts its bytes only: it must not keep a body alive
 * of which it is but a part.
 */
export function payloadOf(body: Uint8Array): TakePayload {
  return (start, end) => {
    const isMost = 2 * (end - start) >= body.buffer.byteLength;
    return isMost ? body.subarray(start, end) : copyOf(body, start, end);
  };
}

/**
 * Takes payloads out of a body, in their order. Small ones share slabs, each a copy of a piece of the body, as a copy
 * costs 2 us in Node 20, whatever its length: what survives of a slab keeps 4 KiB alive at the most.
 */
export function payloadsOf(body: Uint8Array): TakePayload {
  const takeOne = payloadOf(body);
  let slab = new Uint8Array(0);
  let slabStart = 0;
  return (start, end) => {
    const length = end - start;
    if (2 * length > slabMaxBytes) return takeOne(start, end);
    if (start < slabStart || end > slabStart + slab.length) {
      slab = copyOf(body, start, start + Math.min(slabMaxBytes, slabMaxShare * length));
      slabStart = start;
    }
    return slab.subarray(start - slabStart, end - slabStart);
  };
}

/** `slice` of a Buffer would be a view. */
function copyOf(body: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(body.subarray(start, end));
}
