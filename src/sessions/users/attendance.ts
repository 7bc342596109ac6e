import { isReserved } from '../../topics/topic-name.ts';
import type { ObservedSession, ReportEvent, UnsubscribeReason } from '../session-events.ts';
import type { SessionView } from '../subscriptions/session-view.ts';
import type { Occupant, Presence } from './presence.ts';

/** Who hears which subscriptions a session has. */
export interface AttendanceOptions {
  readonly presence: Presence;
  /** Called for subscriptions that clients have made. Absent: for none. */
  readonly report?: ReportEvent | undefined;
}

/** A session that comes and goes by its subscriptions. */
export type Attendant = Occupant & ObservedSession;

/** The session has this subscription now. `all`: those that it has. */
export function tellSubscribed(
  session: Attendant,
  sessionView: SessionView,
  all: Iterable<SessionView>,
  { presence, report }: AttendanceOptions,
): void {
  const { isAutomatic, target } = sessionView;
  if (isOfPresence(sessionView) && !isPresentBy(all, sessionView)) presence.joined(session, target);
  if (!isAutomatic) report?.(session, { type: 'subscribed', topic: target });
}

/** The session has it no longer. `all`: those that it still has. */
export function tellUnsubscribed(
  session: Attendant,
  sessionView: SessionView,
  all: Iterable<SessionView>,
  reason: UnsubscribeReason,
  { presence, report }: AttendanceOptions,
): void {
  const { isAutomatic, target, view, watches } = sessionView;
  if (watches !== undefined) presence.unwatched(watches, view);
  // An ended session leaves all topics: the first of several subscriptions to a topic says so, and `left` ignores the
  // others.
  else if (isOfPresence(sessionView) && (reason === 'disconnect' || !isPresentBy(all, sessionView)))
    presence.left(session, target);
  if (!isAutomatic) report?.(session, { type: 'unsubscribed', topic: target, reason });
}

/** Whether another of these subscriptions is presence in the same topic. */
function isPresentBy(all: Iterable<SessionView>, sessionView: SessionView): boolean {
  for (const each of all)
    if (each !== sessionView && each.target === sessionView.target && isOfPresence(each)) return true;
  return false;
}

/** A subscription by name is presence in the topic; hearing `$all` or a pattern isn't. */
function isOfPresence({ target, view }: SessionView): boolean {
  return !view.isPattern && !isReserved(target);
}
