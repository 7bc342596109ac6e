import type { CompressedBody, Publication } from '../../protocol/frames.ts';
import { inflateBody } from '../../protocol/inflate.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';

/**
 * The publications of a compressed batch; undefined: the body is damaged, which is a gap for its receiver. Loaded with
 * the first compressed batch. `known`: the newest dictionary of the view: no later batch uses an older one.
 * `decodeRun` throws if the run is malformed.
 */
export function inflateBatch(
  body: CompressedBody,
  known: ServerKinds['dictionary'] | undefined,
  decodeRun: (run: Uint8Array) => readonly Publication[],
): readonly Publication[] | undefined {
  const run = inflateBody(body, known);
  try {
    return run && decodeRun(run);
  } catch {
    return undefined;
  }
}
