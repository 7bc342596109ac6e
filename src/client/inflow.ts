import type { SubscribeResult } from '../protocol/frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import { type Later, later } from './later.ts';
import { waitingMax } from './limits.ts';
import { extras } from './subscriptions/extras.ts';

/** Needed only if the gateway compresses. */
export const inflating = later(() => import('./subscriptions/dictionaries.ts'));

/**
 * Hands frames on in their order. One that needs code that is not loaded yet waits for it, and so do those after it.
 */
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
      return;
    }
    const code = codeFor(frame);
    if (!code || code.loaded) this.#handOn(frame);
    else this.#wait(code, [frame]);
  }

  /** The connection is gone: drops the frames that wait. */
  clear(): void {
    this.#waiting = undefined;
  }

  #wait(code: Later<unknown>, waiting: ServerFrame[]): void {
    this.#waiting = waiting;
    code.use(
      () => {
        if (this.#waiting !== waiting) return;
        this.clear();
        for (const frame of waiting) this.take(frame);
      },
      (cause) => {
        if (this.#waiting === waiting) this.#failed(cause);
      },
    );
  }
}

/** Pushes that `extras` handles. */
const rarePushes = /^(unsubscribed|snapshot|lagging|caughtUp|joined|left)$/;

/** The code that a frame needs, if no call of the application has loaded it. */
function codeFor(frame: ServerFrame): Later<unknown> | false | undefined {
  const { kind, id } = frame;
  if (kind === 'batch') return frame.compressed && inflating;
  if (kind === 'subscribed') return !frame.results.every(isPlain) && extras;
  return (kind === 'reset' ? frame.mode !== 'stream' : id === 0 && rarePushes.test(kind)) && extras;
}

function isPlain(result: SubscribeResult): boolean {
  return 'error' in result || (result.mode === 'stream' && !result.inbox && result.recovered !== false);
}
