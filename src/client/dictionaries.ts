import { expandBatch } from '../protocol/compression.ts';
import type { Publication, ServerKinds } from '../protocol/frames.ts';

const none: ReadonlyMap<number, Uint8Array> = new Map();

/** The dictionaries that this connection was told of, per view; the next connection is told again. */
export class Dictionaries {
  readonly #byView = new Map<number, Map<number, Uint8Array>>();

  add({ view, dictionary, data }: ServerKinds['dictionary']): void {
    const known = this.#byView.get(view) ?? new Map<number, Uint8Array>();
    // A copy: it outlives the message that it came in.
    this.#byView.set(view, known.set(dictionary, data.slice()));
  }

  /** `undefined`: the body doesn't check; to the receiver that is a gap. */
  expand(batch: ServerKinds['batch']): readonly Publication[] | undefined {
    const expanded = expandBatch(batch, this.#byView.get(batch.view) ?? none);
    return expanded.ok ? expanded.publications : undefined;
  }

  clear(): void {
    this.#byView.clear();
  }
}
