import { crc32 } from './crc32.ts';
import type { CompressedBody } from './frames.ts';
import { inflateRaw } from './inflate-raw.ts';

/** What one batch may hold before compression. */
export const plainMaxBytes = 16 * 1024 * 1024;

/** Runs up to this size do not say how long they are: three bytes in seventy, of a small update with a dictionary. */
export const smallRunBytes = 1024;

/**
 * `unknown_dictionary`: it isn't in `dictionaries`. `mismatch`: the bytes aren't those that were compressed.
 */
export type InflateFault = 'unknown_dictionary' | 'mismatch' | 'too_large';

/**
 * The publications of a compressed batch, encoded. Never throws, and never allocates more than the body's `plainBytes`
 * (or `smallRunBytes`), which may be `plainMaxBytes`.
 */
export function inflateBody(
  body: CompressedBody,
  dictionaries: ReadonlyMap<number, Uint8Array>,
): Uint8Array | InflateFault {
  if (body.plainBytes > plainMaxBytes) return 'too_large';
  const dictionary = dictionaries.get(body.dictionary);
  if (body.dictionary !== 0 && dictionary === undefined) return 'unknown_dictionary';
  const run = inflateExactly(body, dictionary);
  return run !== undefined && crc32(run) === body.crc32 ? run : 'mismatch';
}

/** A bomb ends where `out` does. */
function inflateExactly(body: CompressedBody, dictionary: Uint8Array | undefined): Uint8Array | undefined {
  try {
    const { deflate, plainBytes } = body;
    const run = inflateRaw(deflate, new Uint8Array(plainBytes || smallRunBytes), dictionary);
    return plainBytes === 0 || run.length === plainBytes ? run : undefined;
  } catch {
    return undefined;
  }
}
