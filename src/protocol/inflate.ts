import { crc32 } from './crc32.ts';
import type { CompressedBody } from './frames.ts';
import { inflateRaw } from './inflate-raw.ts';

/** What one batch may hold before compression. */
export const plainMaxBytes = 16 * 1024 * 1024;

/** Runs up to this size do not say how long they are: three bytes in seventy, of a small update with a dictionary. */
export const smallRunBytes = 1024;

/**
 * The publications of a compressed batch, encoded. Undefined: the bytes aren't those that were compressed, or their
 * dictionary isn't this one. Never throws, and never allocates more than the body's `plainBytes` (or `smallRunBytes`),
 * which may be `plainMaxBytes`.
 */
export function inflateBody(
  { deflate, plainBytes, dictionary, crc32: sum }: CompressedBody,
  known: { readonly dictionary: number; readonly data: Uint8Array } | undefined,
): Uint8Array | undefined {
  if (plainBytes > plainMaxBytes || (dictionary !== 0 && dictionary !== known?.dictionary)) return undefined;
  try {
    // A bomb ends where `out` does.
    const out = new Uint8Array(plainBytes || smallRunBytes);
    const run = inflateRaw(deflate, out, dictionary === 0 ? undefined : known?.data);
    return run.length === (plainBytes || run.length) && crc32(run) === sum ? run : undefined;
  } catch {
    return undefined;
  }
}
