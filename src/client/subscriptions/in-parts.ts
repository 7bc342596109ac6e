import type { Subscription as WireSubscription } from '../../protocol/frames.ts';
import { entriesPerCommand } from '../limits.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';

/** A subscription to ask for, and what it is for. */
export type Asked<T> = readonly [of: T, request: WireSubscription];

/**
 * Subscribes by commands that the gateway takes: those with too many bytes go in two halves. `replied` is called for
 * each command, also for a single subscription that is too large.
 */
export function subscribeInParts<T>(
  commands: PendingCommands,
  asked: readonly Asked<T>[],
  replied: (of: readonly T[], ...outcome: Outcome<'subscribe'>) => void,
): void {
  const cutAt = (at: number): void => {
    for (const part of [asked.slice(0, at), asked.slice(at)]) subscribeInParts(commands, part, replied);
  };
  const { length } = asked;
  if (length > entriesPerCommand) cutAt(entriesPerCommand);
  else if (length > 0)
    commands.send('subscribe', { subscriptions: asked.map(([, request]) => request) }, (...outcome) => {
      if (outcome[1]?.code === 'frame_too_large' && length > 1) cutAt(length >> 1);
      else
        replied(
          asked.map(([of]) => of),
          ...outcome,
        );
    });
}
