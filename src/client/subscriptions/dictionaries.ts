import type { Publication } from '../../protocol/frames.ts';
import { inflateBody } from '../../protocol/inflate.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';

/**
 * Inflates compressed batches. Keeps the newest dictionary of each view of this connection: no later batch uses an
 * older one. Loaded with the first dictionary or compressed batch.
 */
export class Dictionaries {
  readonly #byView = new Map<number, ServerKinds['dictionary']>();
  /** Decodes the publications of a run. Throws if it is malformed. */
  readonly #decodeRun: (run: Uint8Array) => readonly Publication[];

  constructor(decodeRun: (run: Uint8Array) => readonly Publication[]) {
    this.#decodeRun = decodeRun;
  }

  add(frame: ServerKinds['dictionary']): void {
    // A copy, because it outlives its message.
    this.#byView.set(frame.view, { ...frame, data: frame.data.slice() });
  }

  /** Undefined: the body is damaged, which is a gap for its receiver. */
  expand({ view, compressed }: ServerKinds['batch']): readonly Publication[] | undefined {
    const run = compressed && inflateBody(compressed, this.#byView.get(view));
    try {
      return run && this.#decodeRun(run);
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
