import type { Publication } from '../../protocol/frames.ts';
import { inflateBody } from '../../protocol/inflate.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';

const none: ReadonlyMap<number, Uint8Array> = new Map();

/**
 * Expands compressed batches. Of each view of this connection it has the newest dictionary that was announced: batches
 * make use of no older one. Loaded with the first of either.
 */
export class Dictionaries {
  readonly #byView = new Map<number, ReadonlyMap<number, Uint8Array>>();
  /** The publications of a run. Throws where it is none. */
  readonly #decodeRun: (run: Uint8Array) => readonly Publication[];

  constructor(decodeRun: (run: Uint8Array) => readonly Publication[]) {
    this.#decodeRun = decodeRun;
  }

  add({ view, dictionary, data }: ServerKinds['dictionary']): void {
    // A copy: it outlives the message that it came in.
    this.#byView.set(view, new Map([[dictionary, data.slice()]]));
  }

  /** `undefined`: the body doesn't check; to the receiver that is a gap. */
  expand({ view, compressed, publications }: ServerKinds['batch']): readonly Publication[] | undefined {
    if (!compressed) return publications;
    const run = inflateBody(compressed, this.#byView.get(view) ?? none);
    try {
      return typeof run === 'object' ? this.#decodeRun(run) : undefined;
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
