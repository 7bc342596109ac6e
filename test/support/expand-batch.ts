import type { CompressedBody, Publication } from '../../src/protocol/frames.ts';
import { type InflateFault, inflateBody } from '../../src/protocol/inflate.ts';
import { decodeRun } from './codecs.ts';

type Expanded =
  | { readonly ok: true; readonly publications: readonly Publication[] }
  | { readonly ok: false; readonly reason: InflateFault };

/** The publications of a batch, compressed or not. Never throws. */
export function expandBatch(
  batch: { readonly publications: readonly Publication[]; readonly compressed?: CompressedBody },
  dictionaries: ReadonlyMap<number, Uint8Array>,
): Expanded {
  if (batch.compressed === undefined) return { ok: true, publications: batch.publications };
  const run = inflateBody(batch.compressed, dictionaries);
  if (typeof run === 'string') return { ok: false, reason: run };
  const decoded = decodeRun(run);
  if (!decoded.ok || decoded.frame.kind !== 'batch') return { ok: false, reason: 'mismatch' };
  return { ok: true, publications: decoded.frame.publications };
}
