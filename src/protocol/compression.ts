import { deflateSync, inflateSync } from 'fflate';
import { crc32 } from './crc32.ts';
import type { CompressedBody, Publication } from './frames.ts';
import { decodeRun } from './protobuf/codec.ts';

/** What one batch may hold before compression. */
export const maxPlainBytes = 16 * 1024 * 1024;

/** Runs up to this size do not say how long they are: three bytes in seventy, of a small update with a dictionary. */
export const smallRunBytes = 1024;

export type DeflateLevel = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** A dictionary with the number that frames name it by. */
export interface SharedDictionary {
  readonly dictionary: number;
  readonly data: Uint8Array;
}

/**
 * A run longer than so many dictionaries goes without. Where fflate finds that a stored block is the shortest, it writes the
 * dictionary into it too, and the receiver gets other bytes than were deflated. But it also counts the dictionary as a part
 * of that block, and its fixed code takes at most nine bits a byte: up to eight times the dictionary the fixed code wins.
 */
const dictionaryReach = 8;

function canUseDictionary(runBytes: number, dictionary: Uint8Array): boolean {
  return runBytes <= dictionaryReach * dictionary.length;
}

/** `run`: publications as the protobuf codec encodes them, one behind the other. */
export function deflateBody(
  run: Uint8Array,
  shared?: SharedDictionary,
  level: DeflateLevel = 6,
): CompressedBody {
  const used = shared !== undefined && canUseDictionary(run.length, shared.data) ? shared : undefined;
  return {
    deflate: deflateSync(run, { level, dictionary: used?.data }),
    plainBytes: run.length <= smallRunBytes ? 0 : run.length,
    crc32: crc32(run),
    dictionary: used?.dictionary ?? 0,
  };
}

export type Expanded =
  | { readonly ok: true; readonly publications: readonly Publication[] }
  | {
      readonly ok: false;
      /** `unknown_dictionary`: it isn't in `dictionaries`. `mismatch`: the bytes aren't those that were compressed. */
      readonly reason: 'unknown_dictionary' | 'mismatch' | 'too_large';
    };

/**
 * The publications of a batch, compressed or not. To the receiver every failure is a gap. Never throws, and never
 * allocates more than the body's `plainBytes` (or `smallRunBytes`), which may be `maxPlainBytes`.
 */
export function expandBatch(
  batch: { readonly publications: readonly Publication[]; readonly compressed?: CompressedBody },
  dictionaries: ReadonlyMap<number, Uint8Array>,
): Expanded {
  const body = batch.compressed;
  if (body === undefined) return { ok: true, publications: batch.publications };
  if (body.plainBytes > maxPlainBytes) return { ok: false, reason: 'too_large' };
  const dictionary = dictionaries.get(body.dictionary);
  if (body.dictionary !== 0 && dictionary === undefined) return { ok: false, reason: 'unknown_dictionary' };
  const run = inflateExactly(body, dictionary);
  if (run === undefined || crc32(run) !== body.crc32) return { ok: false, reason: 'mismatch' };
  const decoded = decodeRun(run);
  if (!decoded.ok || decoded.frame.kind !== 'batch') return { ok: false, reason: 'mismatch' };
  return { ok: true, publications: decoded.frame.publications };
}

/** fflate drops what it would write behind `out`, so a bomb ends in an array of that length with another CRC. */
function inflateExactly(body: CompressedBody, dictionary: Uint8Array | undefined): Uint8Array | undefined {
  try {
    const { deflate, plainBytes } = body;
    const out = new Uint8Array(plainBytes || smallRunBytes);
    const run = inflateSync(deflate, { out, dictionary });
    return plainBytes === 0 || run.length === plainBytes ? run : undefined;
  } catch {
    return undefined;
  }
}
