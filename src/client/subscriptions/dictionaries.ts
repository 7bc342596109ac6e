import type { Publication } from '../../protocol/frames.ts';
import { inflateBody } from '../../protocol/inflate.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';

const none: ReadonlyMap<number, Uint8Array> = new Map();

/**
 * Inflates compressed batches. Keeps the newest dictionary of each view of this connection: no later batch uses an
 * older one. Loaded with the first dictionary or compressed batch.
 */
export class Dictionaries {
  readonly #byView = new Map<number, ReadonlyMap<number, Uint8Array>>();
  /** Decodes the publications of a run. Throws if it is malformed. */
  readonly #decodeRun: (run: Uint8Array) => readonly Publication[];

  constructor(decodeRun: (run: Uint8Array) => readonly Publication[]) {
    this.#decodeRun = decodeRun;
  }

  add({ view, dictionary, data }: ServerKinds['dictionary']): void {
    // A copy, because it outlives its message.
    this.#byView.set(view, new Map([[dictionary, data.slice()]]));
  }

  /** Undefined: the body is damaged, which is a gap for its receiver. */
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
