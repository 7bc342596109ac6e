import { waitingMax } from './limits.ts';
import type { ReceivedPublication } from './publication.ts';
import type { Subscription } from './subscriptions/subscription.ts';

/**
 * The publications of a subscription for a `for await` loop, from now on and in order. Leaving the loop does not end
 * the subscription; its `unsubscribe()` ends the loop. If more than `max` (10 000) publications wait for the loop's
 * body, it throws a `RangeError`: none is dropped silently. Losses are named by the event `gap`.
 */
export async function* publications<T>(
  subscription: Subscription<T>,
  max = waitingMax,
): AsyncGenerator<ReceivedPublication<T>, void, undefined> {
  const waiting: ReceivedPublication<T>[] = [];
  let wake = (): void => {};
  const stops = [
    subscription.on('publication', (publication) => {
      waiting.push(publication);
      wake();
    }),
    subscription.on('state', () => wake()),
  ];
  try {
    while (subscription.state !== 'closed' || waiting.length > 0) {
      if (!(waiting.length <= max)) throw new RangeError(`over ${max}`);
      const next = waiting.shift();
      if (next) yield next;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    for (const stop of stops) stop();
  }
}
