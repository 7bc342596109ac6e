import { deflateSync } from 'fflate';
import { crc32 } from './crc32.ts';
import type { CompressedBody } from './frames.ts';
import { smallRunBytes } from './inflate.ts';

/** A dictionary with the number that frames name it by. */
export interface SharedDictionary {
  readonly dictionary: number;
  readonly data: Uint8Array;
}

/**
 * A run longer than this many dictionaries is deflated without one. Where fflate finds that a stored block is the
 * shortest, it writes the dictionary into it too, and the receiver gets other bytes than were deflated. But it also
 * counts the dictionary as a part of that block, and its fixed code takes at most nine bits a byte: up to eight times
 * the dictionary the fixed code wins.
 */
const dictionaryReach = 8;

function canUseDictionary(runBytes: number, dictionary: Uint8Array): boolean {
  return runBytes <= dictionaryReach * dictionary.length;
}

/** `run`: publications as the protobuf codec encodes them, one after the other. */
export function deflateBody(run: Uint8Array, shared?: SharedDictionary): CompressedBody {
  const used = shared !== undefined && canUseDictionary(run.length, shared.data) ? shared : undefined;
  return {
    deflate: deflateSync(run, { level: 6, dictionary: used?.data }),
    plainBytes: run.length <= smallRunBytes ? 0 : run.length,
    crc32: crc32(run),
    dictionary: used?.dictionary ?? 0,
  };
}
