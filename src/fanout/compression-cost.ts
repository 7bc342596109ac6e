/** What compression costs and saves, in nanoseconds of a core of the gateway. */
export interface CompressionCosts {
  readonly callNs: number;
  /** Per byte to be deflated, and per byte of a dictionary, which deflate reads anew for each run. */
  readonly byteNs: number;
  readonly dictionaryByteNs: number;
  /** What each byte less saves the gateway, per receiver. The network's savings are not counted. */
  readonly savedByteNs: number;
}

/** On the core that the limits of the benchmarks were measured on. */
export const compressionCosts: CompressionCosts = {
  callNs: 25_000,
  byteNs: 15,
  dictionaryByteNs: 5,
  savedByteNs: 1,
};

/** What the gateway gains by deflating a batch to this part of its size; below 0 it doesn't pay. */
export function savedNs(
  costs: CompressionCosts,
  plainBytes: number,
  ratio: number,
  receivers: number,
  dictionaryBytes: number,
): number {
  const { callNs, byteNs, dictionaryByteNs, savedByteNs } = costs;
  const saved = plainBytes * (1 - ratio) * receivers * savedByteNs;
  return saved - callNs - plainBytes * byteNs - dictionaryBytes * dictionaryByteNs;
}
