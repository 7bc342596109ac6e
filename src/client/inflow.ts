import type { ServerFrame } from '../protocol/server-frames.ts';
import { later } from './later.ts';

/** Clients of a gateway that does not compress never need it. */
export const inflating = later(() => import('../protocol/inflate.ts'));

/** That many frames have come before the code was loaded: it never will be. */
const waitingMax = 10_000;

/** Hands frames on in their order: from the first compressed one on, once the code that inflates it is loaded. */
export class Inflow {
  #waiting: ServerFrame[] | undefined;
  readonly #handOn: (frame: ServerFrame) => void;
  readonly #failed: (cause?: unknown) => void;

  /** `failed`: the code can't be loaded, and this connection is of no use. */
  constructor(handOn: (frame: ServerFrame) => void, failed: (cause?: unknown) => void) {
    this.#handOn = handOn;
    this.#failed = failed;
  }

  take(frame: ServerFrame): void {
    if (this.#waiting) {
      if (this.#waiting.push(frame) > waitingMax) this.#failed();
    } else if (inflating.loaded || frame.kind !== 'batch' || !frame.compressed) this.#handOn(frame);
    else this.#wait([frame]);
  }

  /** The connection is gone, and with it what waits. */
  clear(): void {
    this.#waiting = undefined;
  }

  #wait(waiting: ServerFrame[]): void {
    this.#waiting = waiting;
    inflating.load().then(
      () => {
        for (const frame of waiting) if (this.#waiting === waiting) this.#handOn(frame);
        if (this.#waiting === waiting) this.clear();
      },
      (cause) => {
        if (this.#waiting === waiting) this.#failed(cause);
      },
    );
  }
}
