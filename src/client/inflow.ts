import type { SubscribeResult } from '../protocol/frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import { type Later, later } from './later.ts';
import { extras } from './subscriptions/extras.ts';

/** Clients of a gateway that does not compress never need it. */
export const inflating = later(() => import('./subscriptions/dictionaries.ts'));

/** That many frames have come before the code was loaded: it never will be. */
const waitingMax = 10_000;

/** Hands frames on in their order: from the first one on that needs code which is not there, once that is loaded. */
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

  /** The connection is gone, and with it what waits. */
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

/** What is told beside publications, that `$all` is there, and that a topic has its first publication. */
const rarePushes = /^(unsubscribed|snapshot|lagging|caughtUp|joined|left)$/;

/** What a frame takes, and no call of the application has loaded. */
function codeFor(frame: ServerFrame): Later<unknown> | undefined {
  const { kind, id } = frame;
  if (kind === 'dictionary') return inflating;
  if (kind === 'batch') return frame.compressed && inflating;
  const isKnown =
    kind === 'subscribed' ? frame.results.every(isPlain) : kind !== 'reset' || frame.mode === 'stream';
  return isKnown && !(id === 0 && rarePushes.test(kind)) ? undefined : extras;
}

function isPlain(result: SubscribeResult): boolean {
  return 'error' in result || (result.mode === 'stream' && !result.inbox && result.recovered !== false);
}
