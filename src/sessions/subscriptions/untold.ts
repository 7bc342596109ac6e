import type { View } from '../../fanout/view.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Session } from '../session.ts';
import type { SessionView } from './session-view.ts';
import type { SessionViews } from './session-views.ts';

/** A session, as far as losses are about it. */
export interface UntoldSession extends Pick<Session, 'closed' | 'comparesNoOffsets' | 'goAway'> {
  readonly views: Pick<SessionViews, 'park' | 'pause'> & {
    values(): Iterable<Pick<SessionView, 'watches'> & { readonly view: View }>;
  };
}

/**
 * Commits are lost that were not heard of (`TopicListener.missed`). No frame names a loss in a topic without a
 * numbering, or in any topic of a pattern, but the reply to a subscribe does. So the sessions with such subscriptions
 * end, and their clients come back with the positions that they have now, within `spreadMs`, each at another moment.
 * To end thousands takes several turns. From the first on none of them is sent anything of its subscriptions. Streams
 * and polls end at once: with their last frame they are told a cursor, which would count what is lost in a later turn.
 */
export function endUntold(
  sessions: Iterable<UntoldSession>,
  spreadMs: number,
  turns: Pick<TurnBudget, 'run'>,
): void {
  const end = (session: UntoldSession) => {
    if (!session.closed) session.goAway('going_away', Math.floor(Math.random() * spreadMs));
  };
  const leaving = [...sessions].filter(hasUntold);
  const later = leaving.filter(({ comparesNoOffsets }) => !comparesNoOffsets);
  for (const { views } of later) {
    views.pause();
    views.park();
  }
  for (const session of leaving) if (session.comparesNoOffsets) end(session);
  for (const session of later) turns.run(() => end(session));
}

function hasUntold({ views }: UntoldSession): boolean {
  for (const { view, watches } of views.values())
    if (watches === undefined && (view.isPattern || isWithoutNumbering(view))) return true;
  return false;
}

/** A state topic has no values then, which is all that its subscribers have to know. */
function isWithoutNumbering({ feed: { topic } }: View): boolean {
  return topic.epoch === '' && topic.state === undefined;
}
