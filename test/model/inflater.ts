import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { expandBatch } from '../support/expand-batch.ts';
import { Expander } from '../support/expander.ts';

/** Gives the batches of one connection their publications. */
export class Inflater {
  readonly #expander = new Expander();
  /** All that were ever announced, by view and number: what was lost may be any batch with any of them. */
  readonly #all = new Map<number, Map<number, Uint8Array>>();

  /**
   * The next frame that it has. Throws where the dictionary of a batch was not announced before it, or is not the
   * newest.
   */
  take(frame: ServerFrame): ServerFrame {
    this.#remember(frame);
    return this.#expander.take(frame);
  }

  /** Frames that never came, in any order. */
  takeUnread(frames: readonly ServerFrame[]): ServerFrame[] {
    for (const frame of frames) this.#remember(frame);
    return frames.map((frame) => {
      if (frame.kind !== 'batch') return frame;
      const expanded = expandBatch(frame, this.#all.get(frame.view) ?? new Map());
      if (!expanded.ok) throw new Error('an unread batch is damaged');
      return { ...frame, publications: expanded.publications };
    });
  }

  #remember(frame: ServerFrame): void {
    if (frame.kind !== 'dictionary') return;
    const known = this.#all.get(frame.view) ?? new Map<number, Uint8Array>();
    this.#all.set(frame.view, known.set(frame.dictionary, frame.data));
  }
}
