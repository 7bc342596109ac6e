import type { SubscribeResult } from '../protocol/frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import { waitingMax } from './limits.ts';
import { extras } from './subscriptions/extras.ts';

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
    } else if (extras.loaded || !isRare(frame)) this.#handOn(frame);
    else this.#wait([frame]);
  }

  /** The connection is gone: drops the frames that wait. */
  clear(): void {
    this.#waiting = undefined;
  }

  #wait(waiting: ServerFrame[]): void {
    this.#waiting = waiting;
    extras.use(
      () => {
        if (this.#waiting !== waiting) return;
        this.clear();
        for (const frame of waiting) this.#handOn(frame);
      },
      (cause) => {
        if (this.#waiting === waiting) this.#failed(cause);
      },
    );
  }
}

const rarePushes = /^(unsubscribed|snapshot|lagging|caughtUp|joined|left)$/;

/** Whether `extras` handles the frame. */
function isRare(frame: ServerFrame): boolean {
  const { kind, id } = frame;
  if (kind === 'subscribed') return !frame.results.every(isPlain);
  return kind === 'reset' ? frame.mode !== 'stream' : id === 0 && rarePushes.test(kind);
}

function isPlain(result: SubscribeResult): boolean {
  return 'error' in result || (result.mode === 'stream' && !result.inbox && result.recovered !== false);
}
