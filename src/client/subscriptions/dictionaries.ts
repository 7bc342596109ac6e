import type { Publication } from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import { inflating } from '../inflow.ts';
import { decodeRun } from '../wire/protobuf.ts';

const none: ReadonlyMap<number, Uint8Array> = new Map();

/**
 * Of each view of this connection the newest dictionary that was announced: batches make use of no older one.
 */
export class Dictionaries {
  readonly #byView = new Map<number, ReadonlyMap<number, Uint8Array>>();

  add({ view, dictionary, data }: ServerKinds['dictionary']): void {
    // A copy: it outlives the message that it came in.
    this.#byView.set(view, new Map([[dictionary, data.slice()]]));
  }

  /** `undefined`: the body doesn't check; to the receiver that is a gap. */
  expand(batch: ServerKinds['batch']): readonly Publication[] | undefined {
    if (!batch.compressed) return batch.publications;
    const run = inflating.loaded?.inflateBody(batch.compressed, this.#byView.get(batch.view) ?? none);
    try {
      return typeof run === 'object' ? decodeRun(run) : undefined;
    } catch {
      return undefined;
    }
  }

  forget(view: number): void {
    this.#byView.delete(view);
  }

  clear(): void {
    this.#byView.clear();
  }
}
