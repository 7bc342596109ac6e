import { crc32 } from './crc32.ts';
import type { CompressedBody } from './frames.ts';
import { inflateRaw } from './inflate-raw.ts';

/** What one batch may hold before compression. The gateway sends a larger one as it is. */
export const plainMaxBytes = 16 * 1024 * 1024;

/** Runs up to this size do not say how long they are: three bytes in seventy, of a small update with a dictionary. */
export const smallRunBytes = 1024;

/**
 * The publications of a compressed batch, encoded. Throws if the bytes aren't those that were compressed, or their
 * dictionary isn't this one. Never allocates more than the dictionary's bytes and the body's `plainBytes` (or
 * `smallRunBytes`), which may be `plainMaxBytes`.
 */
export function inflateBody(
  { deflate, plainBytes, dictionary, crc32: sum }: CompressedBody,
  known: { readonly dictionary: number; readonly data: Uint8Array } | undefined,
): Uint8Array {
  // Without its own dictionary a body does not become what was compressed, and its CRC tells.
  const data = dictionary === known?.dictionary ? known.data : undefined;
  // A bomb ends where the room for it does.
  const run = inflateRaw(deflate, Math.min(plainBytes || smallRunBytes, plainMaxBytes), data);
  if ((plainBytes && plainBytes !== run.length) || crc32(run) !== sum) throw new RangeError();
  return run;
}
