import type { View } from '../../fanout/view.ts';
import type { Session } from '../session.ts';
import type { Sessions } from '../sessions.ts';

/**
 * Commits are lost that were not heard of (`TopicListener.missed`). No frame names a loss in a topic without a
 * numbering, or in any topic of a pattern, but the reply to a subscribe does. So the sessions with such subscriptions
 * end, and their clients come back with the positions that they have now, within `spreadMs`, each at another moment.
 */
export function endWithUnnamedLoss(sessions: Pick<Sessions, 'all' | 'sendAway'>, spreadMs: number): void {
  sessions.sendAway([...sessions.all()].filter(mayHaveUnnamedLoss), 'going_away', () =>
    Math.floor(Math.random() * spreadMs),
  );
}

function mayHaveUnnamedLoss({ views }: Session): boolean {
  for (const { view, watches } of views.values())
    if (watches === undefined && (view.isPattern || isWithoutNumbering(view))) return true;
  return false;
}

/** A state topic has no values then, which is all that its subscribers have to know. */
function isWithoutNumbering({ feed: { topic } }: View): boolean {
  return topic.epoch === '' && topic.state === undefined;
}
