import type { Subscription as WireSubscription } from '../../protocol/frames.ts';
import { entriesPerCommand } from '../limits.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';

/** A subscription to ask for, and what it is for. */
export type RequestFor<T> = readonly [of: T, request: WireSubscription];

/**
 * Subscribes by commands that the gateway takes. One that it refuses as a whole, and would refuse again, goes in two
 * halves, so that a single bad subscription is refused alone. `replied` is called for each command.
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
      if (outcome[1]?.retry === false && length > 1) cutAt(length >> 1);
      else
        replied(
          requests.map(([of]) => of),
          ...outcome,
        );
    });
}
