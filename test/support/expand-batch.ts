import type { CompressedBody, Publication } from '../../src/protocol/frames.ts';
import { inflateBody } from '../../src/protocol/inflate.ts';
import { decodeRun } from './codecs.ts';

type Expanded = { readonly ok: true; readonly publications: readonly Publication[] } | { readonly ok: false };

/** The publications of a batch, compressed or not. Never throws. */
export function expandBatch(
  batch: { readonly publications: readonly Publication[]; readonly compressed?: CompressedBody },
  dictionaries: ReadonlyMap<number, Uint8Array>,
): Expanded {
  if (batch.compressed === undefined) return { ok: true, publications: batch.publications };
  const { dictionary } = batch.compressed;
  const data = dictionaries.get(dictionary);
  let run: Uint8Array;
  try {
    run = inflateBody(batch.compressed, data && { dictionary, data });
  } catch {
    return { ok: false };
  }
  const decoded = decodeRun(run);
  if (!decoded.ok || decoded.frame.kind !== 'batch') return { ok: false };
  return { ok: true, publications: decoded.frame.publications };
}
