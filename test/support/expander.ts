import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { expandBatch } from './expand-batch.ts';

const none: ReadonlyMap<number, Uint8Array> = new Map();

/**
 * Takes the frames of one connection in their order, as a client does: of a view's dictionaries only the newest
 * counts.
 */
export class Expander {
  readonly #byView = new Map<number, ReadonlyMap<number, Uint8Array>>();

  /** The frame; a batch with its publications. Throws where its body doesn't check. */
  take(frame: ServerFrame): ServerFrame {
    if (frame.kind === 'dictionary') {
      this.#byView.set(frame.view, new Map([[frame.dictionary, frame.data.slice()]]));
    }
    if (frame.kind !== 'batch') return frame;
    const expanded = expandBatch(frame, this.#byView.get(frame.view) ?? none);
    if (!expanded.ok) throw new Error(`a batch of view ${frame.view} is damaged`);
    return { ...frame, publications: expanded.publications };
  }
}
