import type { Subscription as WireSubscription } from '../../protocol/frames.ts';
import { entriesPerCommand } from '../limits.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';

/** A subscription to ask for, and what it is for. */
export type RequestFor<T> = readonly [of: T, request: WireSubscription];

/**
 * Subscribes by commands that the gateway takes: those with too many bytes go in two halves. `replied` is called for
 * each command, also for a single subscription that is too large.
 */
export function subscribeInParts<T>(
  commands: PendingCommands,
  requests: readonly RequestFor<T>[],
  replied: (of: readonly T[], ...outcome: Outcome<'subscribe'>) => void,
): void {
  const cutAt = (at: number): void => {
    for (const part of [requests.slice(0, at), requests.slice(at)]) subscribeInParts(commands, part, replied);
  };
  const { length } = requests;
  if (length > entriesPerCommand) cutAt(entriesPerCommand);
  else if (length > 0)
    commands.send('subscribe', { subscriptions: requests.map(([, request]) => request) }, (...outcome) => {
      if (outcome[1]?.code === 'frame_too_large' && length > 1) cutAt(length >> 1);
      else
        replied(
          requests.map(([of]) => of),
          ...outcome,
        );
    });
}
